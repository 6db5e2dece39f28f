#include "kinglet/metrics/evaluation.h"

#include <algorithm>

#include <fmt/format.h>

#include "kinglet/formats/error.h"

#include "src/accumulators.h"
#include "src/checked_rows.h"
#include "src/descending_order.h"

namespace kinglet::metrics {
namespace {

/// One reaction over some of the rows, fed in descending order of probability.
class ReactionSum {
 public:
  void add(float probability, bool positive, double cross_entropy) noexcept {
    if (probability != probability_) precision_.end_of_ties();
    probability_ = probability;
    precision_.add(positive, 1);
    entropy_.add(cross_entropy);
  }
  ReactionResult result() noexcept {
    precision_.end_of_ties();
    ReactionResult result{precision_.rows(), precision_.positives(), std::nullopt};
    if (result.positives > 0 && result.positives < result.rows) {
      result.metrics = {precision_.average_precision(),
                        relative_cross_entropy(entropy_.value(), result.positives, result.rows)};
    }
    return result;
  }

 private:
  float probability_ = -1;
  PrecisionSum precision_;
  Sum entropy_;
};

void evaluate_reaction(const EvaluatedRows& rows, const Probabilities& probabilities, Reaction reaction,
                       std::span<const uint8_t> group_of, Report& report) {
  const std::span<const float> column = probabilities.of(reaction);
  ReactionSum all;
  std::vector<ReactionSum> groups(report.groups.size());
  std::vector<ReactionSum> languages(report.languages.size());
  for (const uint32_t row : descending_order(column)) {
    const float probability = column[row];
    const bool positive = rows.positive(row, reaction);
    const double entropy = cross_entropy(probability, positive);
    all.add(probability, positive, entropy);
    groups[group_of[rows.author(row)]].add(probability, positive, entropy);
    languages[rows.language(row)].add(probability, positive, entropy);
  }
  const auto r = static_cast<size_t>(reaction);
  report.all[r] = all.result();
  for (size_t i = 0; i < groups.size(); ++i) report.groups[i].results[r] = groups[i].result();
  for (size_t i = 0; i < languages.size(); ++i) report.languages[i].results[r] = languages[i].result();
}

GroupMean mean_over(const std::vector<AuthorGroup>& groups, size_t reaction) {
  GroupMean mean;
  Metrics sum;
  for (const AuthorGroup& group : groups) {
    const std::optional<Metrics>& metrics = group.results[reaction].metrics;
    if (!metrics) continue;
    ++mean.groups;
    sum.average_precision += metrics->average_precision;
    sum.relative_cross_entropy += metrics->relative_cross_entropy;
  }
  if (mean.groups == 0) return mean;
  const auto count = static_cast<double>(mean.groups);
  mean.metrics = {sum.average_precision / count, sum.relative_cross_entropy / count};
  return mean;
}

std::vector<AuthorGroup> describe_groups(std::span<const uint8_t> group_of,
                                         std::span<const uint32_t> followers) {
  std::vector<AuthorGroup> groups(size_t{1} + *std::max_element(group_of.begin(), group_of.end()));
  for (size_t author = 0; author < followers.size(); ++author) {
    AuthorGroup& group = groups[group_of[author]];
    const uint32_t count = followers[author];
    group.least_followers = group.authors == 0 ? count : std::min(group.least_followers, count);
    group.most_followers = std::max(group.most_followers, count);
    ++group.authors;
  }
  return groups;
}

}  // namespace

std::vector<uint8_t> author_groups(std::span<const uint32_t> followers) {
  if (followers.empty()) return {};
  std::vector<uint32_t> sorted(followers.begin(), followers.end());
  std::sort(sorted.begin(), sorted.end());

  // In integers, so that a count on a quantile is never moved by rounding: the quantile k/5 lies at rank
  // (n - 1) k / 5 = whole + rest/5 and is below `count` if 5 count > 5 sorted[whole] + rest x step.
  const auto quantile_times_5 = [&](uint64_t k) {
    const uint64_t rank = (sorted.size() - 1) * k;
    const uint64_t whole = rank / kAuthorGroups;
    const uint64_t rest = rank % kAuthorGroups;
    const uint64_t step = rest == 0 ? 0 : sorted[whole + 1] - sorted[whole];
    return kAuthorGroups * uint64_t{sorted[whole]} + rest * step;
  };
  std::vector<uint8_t> groups(followers.size());
  std::array<uint64_t, kAuthorGroups> authors{};
  for (size_t author = 0; author < groups.size(); ++author) {
    for (uint64_t k = 1; k < kAuthorGroups; ++k) {
      groups[author] += kAuthorGroups * uint64_t{followers[author]} > quantile_times_5(k) ? 1 : 0;
    }
    ++authors[groups[author]];
  }
  std::array<uint8_t, kAuthorGroups> without_gaps{};
  uint8_t next = 0;
  for (size_t group = 0; group < kAuthorGroups; ++group)
    without_gaps[group] = authors[group] > 0 ? next++ : next;
  for (uint8_t& group : groups) group = without_gaps[group];
  return groups;
}

void check_rows(const EvaluatedRows& rows, const Probabilities& probabilities) {
  if (rows.rows() == 0) throw Error("expected at least one row to evaluate");
  if (rows.rows() != probabilities.rows()) {
    throw Error(fmt::format("expected probabilities of {} rows, got {}", rows.rows(), probabilities.rows()));
  }
}

Report evaluate(const EvaluatedRows& rows, const Probabilities& probabilities) {
  check_rows(rows, probabilities);
  const std::vector<uint8_t> group_of = author_groups(rows.author_followers());
  Report report;
  report.groups = describe_groups(group_of, rows.author_followers());
  for (const std::string& language : rows.languages()) report.languages.push_back({language, {}});
  for (size_t r = 0; r < kReactions; ++r) {
    evaluate_reaction(rows, probabilities, static_cast<Reaction>(r), group_of, report);
    report.group_mean[r] = mean_over(report.groups, r);
  }
  std::sort(report.languages.begin(), report.languages.end(), [](const auto& a, const auto& b) {
    return a.results[0].rows != b.results[0].rows ? a.results[0].rows > b.results[0].rows
                                                  : a.language < b.language;
  });
  return report;
}

}  // namespace kinglet::metrics
