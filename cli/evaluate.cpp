#include <memory>
#include <optional>

#include <fmt/format.h>

#include "kinglet/metrics/popularity.h"
#include "kinglet/metrics/report_json.h"
#include "kinglet/metrics/scores_reader.h"

#include "arguments.h"
#include "progress.h"
#include "verbs.h"

namespace kinglet::cli {
namespace {

using nlohmann::ordered_json;
using Replicates = std::array<metrics::ReactionReplicates, kReactions>;

constexpr uint64_t kProgressRows = 1 << 14;
constexpr uint32_t kComparisonReplicates = 1'000;

struct Arguments {
  std::filesystem::path scores;
  std::vector<std::filesystem::path> rows;
  std::filesystem::path truth;
  std::filesystem::path baseline;
  std::vector<std::filesystem::path> popularity;
  std::optional<uint32_t> bootstrap;
  uint64_t seed = 1;
  bool json = false;

  /// A comparison of two files of scores says little without its interval.
  uint32_t replicates() const { return bootstrap.value_or(baseline.empty() ? 0 : kComparisonReplicates); }
};

/// One predictor of the same rows, and what came out for it.
struct Predictor {
  std::string name;
  metrics::Probabilities probabilities;
  metrics::Report report;
  std::optional<Replicates> replicates;
};

/// The predictors in the order of the report: the scores themselves first.
using Predictors = std::vector<Predictor>;

formats::RowReader open_rows(const std::vector<std::filesystem::path>& paths) {
  formats::RowReaderOptions options;
  options.require_labels = true;
  return formats::RowReader(paths, options);
}

metrics::PopularityBaseline learn_popularity(const std::vector<std::filesystem::path>& paths,
                                             const ProgressFn& progress) {
  metrics::PopularityBaseline baseline;
  formats::RowReader reader = open_rows(paths);
  for (Row row; reader.next(row);) {
    baseline.add(row);
    if (reader.row_index() % kProgressRows == 0) {
      progress("reading training rows", reader.bytes_read(), reader.total_bytes(), "bytes");
    }
  }
  return baseline;
}

/// Reads the rows once, every predictor beside them.
Predictors read_predictors(const Arguments& arguments, metrics::EvaluatedRows& rows,
                           const ProgressFn& progress) {
  std::vector<std::pair<std::string, metrics::MatchedScores>> files;
  files.emplace_back("scores", arguments.scores);
  if (!arguments.truth.empty()) files.emplace_back("truth", arguments.truth);
  if (!arguments.baseline.empty()) files.emplace_back("baseline", arguments.baseline);
  std::optional<metrics::PopularityBaseline> popularity;
  if (!arguments.popularity.empty()) popularity = learn_popularity(arguments.popularity, progress);

  metrics::Probabilities by_popularity;
  formats::RowReader reader = open_rows(arguments.rows);
  for (Row row; reader.next(row);) {
    rows.add(row);
    for (auto& [name, scores] : files) scores.add(row, reader);
    if (popularity) by_popularity.add(popularity->probabilities(row));
    if (reader.row_index() % kProgressRows == 0) {
      progress("reading rows and scores", reader.bytes_read(), reader.total_bytes(), "bytes");
    }
  }
  Predictors predictors;
  for (auto& [name, scores] : files) {
    scores.finish(reader);
    predictors.push_back({name, scores.probabilities(), {}, {}});
  }
  if (popularity) predictors.push_back({"popularity", std::move(by_popularity), {}, {}});
  return predictors;
}

void measure(const Arguments& arguments, const metrics::EvaluatedRows& rows, const ProgressFn& progress,
             Predictor& predictor) {
  progress("evaluating " + predictor.name, 0, 0, "rows");
  predictor.report = metrics::evaluate(rows, predictor.probabilities);
  if (arguments.replicates() == 0) return;
  metrics::BootstrapOptions options;
  options.replicates = arguments.replicates();
  options.seed = arguments.seed;
  options.progress = progress;
  predictor.replicates = metrics::bootstrap(rows, predictor.probabilities, options);
}

const Predictor* find(const Predictors& predictors, std::string_view name) {
  for (const Predictor& predictor : predictors) {
    if (predictor.name == name) return &predictor;
  }
  return nullptr;
}

/// How much of the way from nothing, or from the other predictor, to the truth the scores went: 1 = all of
/// it.
double share_reached(double score, double truth, double from) {
  return (score - from) / (truth - from);
}

using Metric = double metrics::Metrics::*;
constexpr std::pair<const char*, Metric> kMetrics[] = {
    {"average_precision", &metrics::Metrics::average_precision},
    {"relative_cross_entropy", &metrics::Metrics::relative_cross_entropy}};

/// The share of the way from `from` (null: from zero) to the truth, where there is a way.
std::optional<double> reached(const Predictors& predictors, const Predictor* from, size_t reaction,
                              Metric metric) {
  const Predictor* truth = find(predictors, "truth");
  const auto& best = truth->report.all[reaction].metrics;
  if (!best) return std::nullopt;
  const double start = from == nullptr ? 0 : (*from->report.all[reaction].metrics).*metric;
  if (!((*best).*metric > start)) return std::nullopt;
  return share_reached((*predictors[0].report.all[reaction].metrics).*metric, (*best).*metric, start);
}

ordered_json reached_json(const Predictors& predictors, const Predictor* from) {
  ordered_json json = ordered_json::object();
  for (size_t r = 0; r < kReactions; ++r) {
    for (const auto& [name, metric] : kMetrics) {
      const std::optional<double> share = reached(predictors, from, r, metric);
      if (share) json[std::string(metrics::reaction_name(static_cast<Reaction>(r)))][name] = *share;
    }
  }
  return json;
}

void print_json(const Arguments& arguments, const metrics::EvaluatedRows& rows,
                const Predictors& predictors) {
  ordered_json json = {{"rows", rows.rows()},
                       {"tweets", rows.tweets()},
                       {"authors", rows.author_followers().size()},
                       {"languages", rows.languages().size()}};
  if (arguments.replicates() > 0) {
    json["bootstrap"] = {{"replicates", arguments.replicates()}, {"seed", arguments.seed}};
  }
  const Predictor& scores = predictors[0];
  for (const Predictor& predictor : predictors) {
    ordered_json& entry = json[predictor.name] = metrics::report_json(predictor.report);
    if (&predictor != &scores) {
      entry["scores_minus_this"] = metrics::differences_json(scores.report.all, predictor.report.all);
    }
    if (!predictor.replicates) continue;
    entry["interval_95"] = metrics::intervals_json(*predictor.replicates);
    if (&predictor == &scores) continue;
    entry["scores_minus_this_interval_95"] =
        metrics::difference_intervals_json(*scores.replicates, *predictor.replicates);
  }
  if (find(predictors, "truth") != nullptr) {
    json["share_of_truth_reached"] = reached_json(predictors, nullptr);
    for (const char* name : {"baseline", "popularity"}) {
      const Predictor* from = find(predictors, name);
      if (from != nullptr)
        json[fmt::format("share_of_way_from_{}_to_truth", name)] = reached_json(predictors, from);
    }
  }
  fmt::print("{}\n", json.dump(2));
}

constexpr int kTitle = 24;

void print_header(std::string_view title) {
  fmt::print("{:<{}}", title, kTitle);
  for (size_t r = 0; r < kReactions; ++r) {
    fmt::print("  {:>15}", fmt::format("{} AP / RCE", metrics::reaction_name(static_cast<Reaction>(r))));
  }
  fmt::print("\n");
}

std::string cell(const std::optional<metrics::Metrics>& metrics) {
  if (!metrics) return "-";
  return fmt::format("{:.4f} / {:.2f}", metrics->average_precision, metrics->relative_cross_entropy);
}

void print_results(std::string_view title, const metrics::Results& results) {
  fmt::print("{:<{}}", title, kTitle);
  for (const metrics::ReactionResult& result : results) fmt::print("  {:>15}", cell(result.metrics));
  fmt::print("\n");
}

std::string bounds(const std::optional<metrics::Interval>& interval, const char* number) {
  if (!interval) return "-";
  return fmt::format(fmt::runtime(fmt::format("[{0}, {0}]", number)), interval->low, interval->high);
}

void print_intervals(const Predictors& predictors) {
  for (const Predictor& predictor : predictors) {
    const Replicates& own = *predictor.replicates;
    for (size_t r = 0; r < kReactions; ++r) {
      if (!predictor.report.all[r].metrics) continue;
      fmt::print("{:<12}{:<12}AP {:<18}  RCE {}\n", predictor.name,
                 metrics::reaction_name(static_cast<Reaction>(r)),
                 bounds(metrics::interval_95(own[r].average_precision), "{:.4f}"),
                 bounds(metrics::interval_95(own[r].relative_cross_entropy), "{:.2f}"));
    }
  }
}

/// What the scores are better by than another predictor, on the same draws of tweets.
void print_differences(const Predictor& scores, const Predictor& other) {
  fmt::print("\nscores - {}\n", other.name);
  for (size_t r = 0; r < kReactions; ++r) {
    const auto& a = scores.report.all[r].metrics;
    const auto& b = other.report.all[r].metrics;
    if (!a || !b) continue;
    const metrics::ReactionReplicates& drawn = (*scores.replicates)[r];
    const metrics::ReactionReplicates& others = (*other.replicates)[r];
    fmt::print("{:<12}AP {:+.4f} {:<20}  RCE {:+.2f} {}\n", metrics::reaction_name(static_cast<Reaction>(r)),
               a->average_precision - b->average_precision,
               bounds(metrics::interval_95_of_difference(drawn.average_precision, others.average_precision),
                      "{:+.4f}"),
               a->relative_cross_entropy - b->relative_cross_entropy,
               bounds(metrics::interval_95_of_difference(drawn.relative_cross_entropy,
                                                         others.relative_cross_entropy),
                      "{:+.2f}"));
  }
}

void print_bootstrap(const Predictors& predictors, const Arguments& arguments) {
  if (arguments.replicates() == 0) return;
  fmt::print("\n95 % intervals, {} bootstrap replicates over tweets, seed {}\n", arguments.replicates(),
             arguments.seed);
  print_intervals(predictors);
  for (size_t i = 1; i < predictors.size(); ++i) print_differences(predictors[0], predictors[i]);
}

void print_reached(const Predictors& predictors, const Predictor* from) {
  fmt::print("{:<{}}", from == nullptr ? "reached of truth" : fmt::format("way {} -> truth", from->name),
             kTitle);
  for (size_t r = 0; r < kReactions; ++r) {
    std::string text;
    for (const auto& [name, metric] : kMetrics) {
      const std::optional<double> share = reached(predictors, from, r, metric);
      text += (text.empty() ? "" : " / ") + (share ? fmt::format("{:.0f} %", 100 * *share) : "-");
    }
    fmt::print("  {:>15}", text);
  }
  fmt::print("\n");
}

void print_all_rows(const Predictors& predictors) {
  print_header("all rows");
  for (const Predictor& predictor : predictors) print_results(predictor.name, predictor.report.all);
  if (find(predictors, "truth") == nullptr) return;
  print_reached(predictors, nullptr);
  for (const char* name : {"baseline", "popularity"}) {
    const Predictor* from = find(predictors, name);
    if (from != nullptr) print_reached(predictors, from);
  }
}

void print_parts(const metrics::Report& report) {
  fmt::print("\n");
  print_header("authors by followers");
  for (const metrics::AuthorGroup& group : report.groups) {
    print_results(fmt::format("{} .. {}", group.least_followers, group.most_followers), group.results);
  }
  fmt::print("{:<{}}", "mean of groups", kTitle);
  for (const metrics::GroupMean& mean : report.group_mean) fmt::print("  {:>15}", cell(mean.metrics));
  fmt::print("\n\n");
  print_header("languages");
  for (const metrics::LanguageResults& language : report.languages) {
    const std::string& name = language.language;
    print_results(name.size() < kTitle ? name : name.substr(0, kTitle - 3) + "...", language.results);
  }
}

/// What has no metrics, and where.
void print_notes(const metrics::Report& report) {
  for (size_t r = 0; r < kReactions; ++r) {
    const std::string_view name = metrics::reaction_name(static_cast<Reaction>(r));
    const std::string_view note = metrics::missing_note(report.all[r]);
    if (!note.empty()) {
      fmt::print("note: {} is left out: {}\n", name, note);
      continue;
    }
    const uint64_t groups = report.group_mean[r].groups;
    if (groups < report.groups.size()) {
      fmt::print("note: {}: the mean is over {} of {} groups, the others have no positives or no negatives\n",
                 name, groups, report.groups.size());
    }
  }
}

void print_text(const Arguments& arguments, const metrics::EvaluatedRows& rows,
                const Predictors& predictors) {
  const metrics::Report& report = predictors[0].report;
  fmt::print("{} rows, {} tweets, {} authors; positives:", rows.rows(), rows.tweets(),
             rows.author_followers().size());
  for (size_t r = 0; r < kReactions; ++r) {
    fmt::print(" {} {}{}", metrics::reaction_name(static_cast<Reaction>(r)), report.all[r].positives,
               r + 1 < kReactions ? "," : "\n\n");
  }
  print_all_rows(predictors);
  print_bootstrap(predictors, arguments);
  print_parts(report);
  print_notes(report);
}

void run(const Arguments& arguments) {
  Progress progress;
  const ProgressFn report = progress.function();
  metrics::EvaluatedRows rows;
  Predictors predictors = read_predictors(arguments, rows, report);
  for (Predictor& predictor : predictors) measure(arguments, rows, report, predictor);
  progress.finish();
  if (arguments.json) {
    print_json(arguments, rows, predictors);
  } else {
    print_text(arguments, rows, predictors);
  }
}

}  // namespace

void add_evaluate(Verb program) {
  Verb verb = program.add_verb("evaluate", "Average precision and relative cross entropy of scores");
  auto arguments = std::make_shared<Arguments>();
  verb.option("--scores", arguments->scores, "CSV of kinglet score, or a folder of part-* files").required();
  verb.option("--rows", arguments->rows, "The rows that were scored, with labels, in the same order")
      .required();
  verb.option("--truth", arguments->truth,
              "The true probabilities (kinglet simulate), in the scores' format");
  verb.option("--baseline", arguments->baseline,
              "Other scores of the same rows: adds the difference to them and its 95 % interval");
  verb.option("--popularity", arguments->popularity,
              "Training rows: compares with the smoothed reaction rate of the author in them");
  verb.option("--bootstrap", arguments->bootstrap,
              "Replicates for 95 % intervals; 0 for none [0; 1000 with --baseline]")
      .range(0, 1'000'000);
  verb.option("--seed", arguments->seed, "Seed of the bootstrap [1]");
  verb.flag("--json", arguments->json, "Report as JSON");
  verb.action([arguments] { run(*arguments); });
}

}  // namespace kinglet::cli
