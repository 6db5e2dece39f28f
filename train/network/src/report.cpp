#include "report.h"

#include <array>

#include "kinglet/history/builder.h"
#include "kinglet/kinglet.h"
#include "kinglet/metrics/bootstrap.h"
#include "kinglet/metrics/evaluated_rows.h"
#include "kinglet/metrics/evaluation.h"
#include "kinglet/metrics/report_json.h"

namespace kinglet::train {
namespace {

using nlohmann::ordered_json;

std::array<float, kReactions> by_reaction(const Scores& scores) {
  return {scores.probability(Target::like), scores.probability(Target::reply),
          scores.probability(Target::retweet), scores.probability(Target::quote)};
}

ordered_json positives_json(const RowCache& cache) {
  ordered_json json;
  for (size_t t = 0; t < kTargets; ++t) json[std::string(kTargetNames[t])] = cache.positives()[t];
  return json;
}

}  // namespace

ordered_json measure_held_out(const TrainOptions& options, const std::filesystem::path& model,
                              const std::filesystem::path& history_file) {
  if (options.valid.empty() || options.settings.holdout_every == 0) return nullptr;
  Session session(Model::open(model));
  const formats::HistoryFile history(history_file);
  formats::RowReader reader(options.valid, {.require_labels = true});
  metrics::EvaluatedRows rows;
  metrics::Probabilities probabilities;
  Scores scores;
  for (Row row; reader.next(row);) {
    if (!history::valid_place(reader.row_index(), options.settings.holdout_every).held_out) continue;
    const Status status = session.score(row, history, scores);
    if (status != Status::ok) throw reader.error_here(status_text(status));
    rows.add(row);
    probabilities.add(by_reaction(scores));
    if (options.progress)
      options.progress("scoring held-out rows", reader.bytes_read(), reader.total_bytes(), "bytes");
  }
  ordered_json json = metrics::report_json(metrics::evaluate(rows, probabilities));
  if (options.bootstrap == 0) return json;
  metrics::BootstrapOptions bootstrap;
  bootstrap.replicates = options.bootstrap;
  bootstrap.progress = options.progress;
  json["bootstrap"] = {{"replicates", bootstrap.replicates}, {"seed", bootstrap.seed}, {"over", "tweets"}};
  json["interval_95"] = metrics::intervals_json(metrics::bootstrap(rows, probabilities, bootstrap));
  return json;
}

ordered_json make_report(const Identity& identity, const Dataset& dataset, const TrainReport& report) {
  ordered_json json;
  for (const auto& [name, value] : identity) json["training"][name] = value;
  json["rows"] = {
      {"train", report.train_rows}, {"valid", report.valid_rows}, {"held_out", report.held_out_rows}};
  json["positives"]["train"] = positives_json(dataset.train);
  if (report.valid_rows > 0) json["positives"]["valid"] = positives_json(dataset.valid);
  json["languages"] = report.languages;
  json["parameters"] = report.parameters;
  json["tokens"] = {{"seen", dataset.tokens}, {"in_codebook", dataset.known_tokens}};
  json["cache_bytes"] = dataset.train.bytes() + dataset.valid.bytes();
  for (const PassReport& pass : report.passes) {
    json["passes"].push_back({{"name", pass.name}, {"rows", pass.rows}, {"loss", pass.loss}});
  }
  json["notes"] = report.notes;
  return json;
}

}  // namespace kinglet::train
