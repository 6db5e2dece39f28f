#include "kinglet/metrics/report_json.h"

namespace kinglet::metrics {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kNames[kReactions] = {"like", "reply", "retweet", "quote"};

void put_metrics(const Metrics& metrics, ordered_json& json) {
  json["average_precision"] = metrics.average_precision;
  json["relative_cross_entropy"] = metrics.relative_cross_entropy;
}

ordered_json results_json(const Results& results) {
  ordered_json all;
  for (size_t r = 0; r < kReactions; ++r) {
    ordered_json& json = all[std::string(kNames[r])];
    json = {{"rows", results[r].rows}, {"positives", results[r].positives}};
    if (results[r].metrics) {
      put_metrics(*results[r].metrics, json);
    } else {
      json["note"] = missing_note(results[r]);
    }
  }
  return all;
}

ordered_json mean_json(const std::array<GroupMean, kReactions>& means) {
  ordered_json all;
  for (size_t r = 0; r < kReactions; ++r) {
    ordered_json& json = all[std::string(kNames[r])];
    json = {{"groups", means[r].groups}};
    if (means[r].metrics) put_metrics(*means[r].metrics, json);
  }
  return all;
}

void put_interval(const std::optional<Interval>& interval, const char* name, ordered_json& json) {
  if (interval) json[name] = {interval->low, interval->high};
}

}  // namespace

std::string_view reaction_name(Reaction reaction) noexcept {
  return kNames[static_cast<size_t>(reaction)];
}

std::string_view missing_note(const ReactionResult& result) noexcept {
  if (result.metrics) return "";
  return result.positives == 0 ? "no positives" : "no negatives";
}

ordered_json report_json(const Report& report) {
  ordered_json json = {{"all", results_json(report.all)}};
  ordered_json& groups = json["author_groups"] = ordered_json::array();
  for (const AuthorGroup& group : report.groups) {
    groups.push_back({{"authors", group.authors},
                      {"least_followers", group.least_followers},
                      {"most_followers", group.most_followers},
                      {"results", results_json(group.results)}});
  }
  json["author_group_mean"] = mean_json(report.group_mean);
  ordered_json& languages = json["languages"] = ordered_json::array();
  for (const LanguageResults& language : report.languages) {
    languages.push_back({{"language", language.language}, {"results", results_json(language.results)}});
  }
  return json;
}

ordered_json intervals_json(const std::array<ReactionReplicates, kReactions>& replicates) {
  ordered_json all = ordered_json::object();
  for (size_t r = 0; r < kReactions; ++r) {
    ordered_json json;
    put_interval(interval_95(replicates[r].average_precision), "average_precision", json);
    put_interval(interval_95(replicates[r].relative_cross_entropy), "relative_cross_entropy", json);
    if (!json.empty()) all[std::string(kNames[r])] = json;
  }
  return all;
}

ordered_json differences_json(const Results& a, const Results& b) {
  ordered_json all = ordered_json::object();
  for (size_t r = 0; r < kReactions; ++r) {
    if (!a[r].metrics || !b[r].metrics) continue;
    put_metrics({a[r].metrics->average_precision - b[r].metrics->average_precision,
                 a[r].metrics->relative_cross_entropy - b[r].metrics->relative_cross_entropy},
                all[std::string(kNames[r])]);
  }
  return all;
}

ordered_json difference_intervals_json(const std::array<ReactionReplicates, kReactions>& a,
                                       const std::array<ReactionReplicates, kReactions>& b) {
  ordered_json all = ordered_json::object();
  for (size_t r = 0; r < kReactions; ++r) {
    ordered_json json;
    put_interval(interval_95_of_difference(a[r].average_precision, b[r].average_precision),
                 "average_precision", json);
    put_interval(interval_95_of_difference(a[r].relative_cross_entropy, b[r].relative_cross_entropy),
                 "relative_cross_entropy", json);
    if (!json.empty()) all[std::string(kNames[r])] = json;
  }
  return all;
}

}  // namespace kinglet::metrics
