#include "kinglet/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/accumulators.h"
#include "src/checked_rows.h"
#include "src/descending_order.h"

namespace kinglet::metrics {
namespace {

constexpr double kNotMeasurable = std::numeric_limits<double>::quiet_NaN();

/// splitmix64: any counter gives a well-mixed number, the same everywhere.
constexpr uint64_t mix(uint64_t value) noexcept {
  value += 0x9E37'79B9'7F4A'7C15;
  value = (value ^ (value >> 30)) * 0xBF58'476D'1CE4'E5B9;
  value = (value ^ (value >> 27)) * 0x94D0'49BB'1331'11EB;
  return value ^ (value >> 31);
}

/// How often each tweet was drawn in one replicate.
void draw_tweets(uint64_t seed, uint32_t replicate, std::vector<uint32_t>& times_drawn) {
  std::fill(times_drawn.begin(), times_drawn.end(), 0U);
  const uint64_t stream = mix(mix(seed) ^ replicate);
  const uint64_t tweets = times_drawn.size();
  for (uint64_t i = 0; i < tweets; ++i) {
    // 32 bits times fewer than 2^30 tweets: the bias is below tweets / 2^32.
    ++times_drawn[(mix(stream + i) >> 32) * tweets >> 32];
  }
}

/// One row on its way down the probabilities.
struct RankedRow {
  uint32_t tweet : 30;
  uint32_t positive : 1;
  uint32_t ends_ties : 1;
};
static_assert(sizeof(RankedRow) == 4);

struct TweetSum {
  double cross_entropy = 0;
  uint32_t rows = 0;
  uint32_t positives = 0;
};

/// What the replicates of one reaction need: its rows in rank order, and what each tweet adds to the cross
/// entropy.
class ReactionSample {
 public:
  ReactionSample(const EvaluatedRows& rows, const Probabilities& probabilities, Reaction reaction)
      : tweets_(rows.tweets()) {
    const std::span<const float> column = probabilities.of(reaction);
    const std::vector<uint32_t> order = descending_order(column);
    ranked_.reserve(order.size());
    for (size_t i = 0; i < order.size(); ++i) {
      const uint32_t row = order[i];
      const bool positive = rows.positive(row, reaction);
      const bool ends_ties = i + 1 == order.size() || column[order[i + 1]] != column[row];
      ranked_.push_back({rows.tweet(row), positive ? 1U : 0U, ends_ties ? 1U : 0U});
      TweetSum& tweet = tweets_[rows.tweet(row)];
      tweet.cross_entropy += cross_entropy(column[row], positive);
      ++tweet.rows;
      tweet.positives += positive ? 1 : 0;
    }
  }

  void add_replicate(const std::vector<uint32_t>& times_drawn, ReactionReplicates& replicates) const {
    uint64_t rows = 0;
    uint64_t positives = 0;
    Sum entropy;
    for (size_t t = 0; t < tweets_.size(); ++t) {
      rows += uint64_t{times_drawn[t]} * tweets_[t].rows;
      positives += uint64_t{times_drawn[t]} * tweets_[t].positives;
      entropy.add(times_drawn[t] * tweets_[t].cross_entropy);
    }
    const bool measurable = positives > 0 && positives < rows;
    replicates.average_precision.push_back(measurable ? precision(times_drawn) : kNotMeasurable);
    replicates.relative_cross_entropy.push_back(
        measurable ? relative_cross_entropy(entropy.value(), positives, rows) : kNotMeasurable);
  }

 private:
  double precision(const std::vector<uint32_t>& times_drawn) const {
    PrecisionSum sum;
    for (const RankedRow& row : ranked_) {
      sum.add(row.positive != 0, times_drawn[row.tweet]);
      if (row.ends_ties != 0) sum.end_of_ties();
    }
    return sum.average_precision();
  }

  std::vector<RankedRow> ranked_;
  std::vector<TweetSum> tweets_;
};

double percentile(std::span<const double> sorted, double share) {
  const double rank = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(rank);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (rank - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

std::array<ReactionReplicates, kReactions> bootstrap(const EvaluatedRows& rows,
                                                     const Probabilities& probabilities,
                                                     const BootstrapOptions& options) {
  check_rows(rows, probabilities);
  std::array<ReactionReplicates, kReactions> all;
  std::vector<ReactionSample> samples;
  for (size_t r = 0; r < kReactions; ++r) samples.emplace_back(rows, probabilities, static_cast<Reaction>(r));
  std::vector<uint32_t> times_drawn(rows.tweets());
  for (uint32_t replicate = 0; replicate < options.replicates; ++replicate) {
    if (options.progress) options.progress("bootstrap", replicate, options.replicates, "replicates");
    draw_tweets(options.seed, replicate, times_drawn);
    for (size_t r = 0; r < kReactions; ++r) samples[r].add_replicate(times_drawn, all[r]);
  }
  return all;
}

std::optional<Interval> interval_95(std::span<const double> values) {
  std::vector<double> sorted;
  for (const double value : values) {
    if (!std::isnan(value)) sorted.push_back(value);
  }
  if (sorted.size() < 2) return std::nullopt;
  std::sort(sorted.begin(), sorted.end());
  return Interval{percentile(sorted, 0.025), percentile(sorted, 0.975)};
}

std::optional<Interval> interval_95_of_difference(std::span<const double> a, std::span<const double> b) {
  std::vector<double> differences(a.size());
  for (size_t i = 0; i < a.size(); ++i) differences[i] = a[i] - b[i];
  return interval_95(differences);
}

}  // namespace kinglet::metrics
