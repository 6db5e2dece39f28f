#include "calibration_report.h"

#include <string>

#include <fmt/format.h>

#include "kinglet/formats/row_reader.h"
#include "kinglet/metrics/report_json.h"

namespace kinglet::cli {
namespace {

using converter::CalibrationReport;
using converter::Precision;
using nlohmann::ordered_json;

// What a narrower precision may cost a reaction before the report warns.
constexpr double kLostAp = 0.1;   // percent of AP
constexpr double kLostRce = 0.1;  // points

constexpr uint64_t kProgressRows = 1 << 12;

std::array<float, kReactions> by_reaction(const std::array<float, kTargets>& by_target) {
  const auto of = [&](Target target) { return by_target[static_cast<size_t>(target)]; };
  return {of(Target::like), of(Target::reply), of(Target::retweet), of(Target::quote)};
}

metrics::Results results_of(const metrics::EvaluatedRows& rows,
                            const std::vector<std::array<float, kTargets>>& scores) {
  metrics::Probabilities probabilities;
  for (const auto& row : scores) probabilities.add(by_reaction(row));
  return metrics::evaluate(rows, probabilities).all;
}

/// One reaction, where it could be measured.
struct Change {
  metrics::Metrics before;
  metrics::Metrics after;

  /// Percent of AP before; 0 where that is 0.
  double ap() const {
    const double from = before.average_precision;
    return from == 0 ? 0 : 100 * (after.average_precision - from) / from;
  }
  /// Points.
  double rce() const { return after.relative_cross_entropy - before.relative_cross_entropy; }
  bool loses() const { return ap() < -kLostAp || rce() < -kLostRce; }
};

std::optional<Change> change_of(const CalibrationMetrics& metrics, size_t reaction) {
  const auto& before = metrics.before[reaction].metrics;
  const auto& after = metrics.after[reaction].metrics;
  if (!before || !after) return std::nullopt;
  return Change{*before, *after};
}

std::vector<std::string> losers(const CalibrationMetrics& metrics) {
  std::vector<std::string> names;
  for (size_t r = 0; r < kReactions; ++r) {
    const std::optional<Change> change = change_of(metrics, r);
    if (change && change->loses()) names.emplace_back(metrics::reaction_name(static_cast<Reaction>(r)));
  }
  return names;
}

ordered_json reactions_json(const CalibrationMetrics& metrics) {
  ordered_json json;
  for (size_t r = 0; r < kReactions; ++r) {
    ordered_json& entry = json[std::string(metrics::reaction_name(static_cast<Reaction>(r)))];
    entry["positives"] = metrics.before[r].positives;
    const std::optional<Change> change = change_of(metrics, r);
    if (!change) {
      entry["note"] = metrics::missing_note(metrics.before[r]);
      continue;
    }
    for (const auto& [name, value] : {std::pair("before", change->before), std::pair("after", change->after)})
      entry[name] = {{"average_precision", value.average_precision},
                     {"relative_cross_entropy", value.relative_cross_entropy}};
    entry["average_precision_change_percent"] = change->ap();
    entry["relative_cross_entropy_change"] = change->rce();
  }
  return json;
}

double relative(const converter::LayerError& layer) {
  return layer.magnitude == 0 ? 0 : layer.rms / layer.magnitude;
}

void print_reads(const CalibrationReport& report) {
  fmt::print("calibration ({} rows)\n", report.before.size());
  fmt::print("  bytes read a row          {:.0f} in the mean, {} at the 99th percentile\n", report.bytes_mean,
             report.bytes_p99);
  if (report.folded_layers != 0) {
    fmt::print("    without folded layers   {:.0f} in the mean, {} at the 99th percentile\n",
               report.dense_bytes_mean, report.dense_bytes_p99);
  }
  fmt::print("  rows of frequent values   {}\n", report.frequent_rows);
  fmt::print("  rows of frequent tokens   {}\n", report.token_rows);
  fmt::print("  folded hidden layers      {}\n", report.folded_layers);
  if (report.side_bits != 0) fmt::print("  side bits of the sketch   {}\n", report.side_bits);
  if (!report.flips) return;
  const auto& [layer1, layer2, layer3] = *report.flips;
  fmt::print("  units off their usual side, a row: {:.1f}, {:.1f}, {:.1f} of hidden layers 1, 2, 3\n", layer1,
             layer2, layer3);
}

void print_layers(const CalibrationReport& report) {
  fmt::print("  {:<12} {:>10} {:>12} {:>10}\n", "against fp32", "error, rms", "of its size", "largest");
  for (const converter::LayerError& layer : report.layers) {
    fmt::print("  {:<12} {:>10.2e} {:>10.4f} % {:>10.2e}\n", layer.name, layer.rms, 100 * relative(layer),
               layer.largest);
  }
}

void print_reactions(const CalibrationMetrics& metrics, std::string_view name) {
  fmt::print("  {:<12} {:>8} {:>8} {:>10} {:>10} {:>8} {:>8}\n", "", "AP fp32", name, "change", "RCE fp32",
             name, "change");
  for (size_t r = 0; r < kReactions; ++r) {
    const std::string_view reaction = metrics::reaction_name(static_cast<Reaction>(r));
    const std::optional<Change> change = change_of(metrics, r);
    if (!change) {
      fmt::print("  {:<12} {}\n", reaction, metrics::missing_note(metrics.before[r]));
      continue;
    }
    fmt::print("  {:<12} {:>8.4f} {:>8.4f} {:>+8.3f} % {:>10.3f} {:>8.3f} {:>+8.3f}\n", reaction,
               change->before.average_precision, change->after.average_precision, change->ap(),
               change->before.relative_cross_entropy, change->after.relative_cross_entropy, change->rce());
  }
}

/// What holds more than `precision`.
std::string_view advice(Precision precision) {
  switch (precision) {
    case Precision::int4:
      return "--precision int8 holds more";
    case Precision::int8:
      return "--precision bf16 or mixed holds more";
    case Precision::mixed:
      return "--precision bf16 holds more";
    default:
      return "--precision fp32 holds all";
  }
}

}  // namespace

std::optional<CalibrationMetrics> measure_calibration(const converter::CalibrationOptions& options,
                                                      const CalibrationReport& report,
                                                      const ProgressFn& progress) {
  metrics::EvaluatedRows rows;
  formats::RowReader reader(options.rows);
  Row row;
  while (rows.rows() < report.before.size() && reader.next(row)) {
    if (!row.has_labels) return std::nullopt;
    rows.add(row);
    if (progress && rows.rows() % kProgressRows == 0)
      progress("labels", rows.rows(), report.before.size(), "rows");
  }
  return CalibrationMetrics{results_of(rows, report.before), results_of(rows, report.after)};
}

ordered_json calibration_json(const CalibrationReport& report,
                              const std::optional<CalibrationMetrics>& metrics) {
  ordered_json json = {{"rows", report.before.size()},
                       {"bytes_mean", report.bytes_mean},
                       {"bytes_p99", report.bytes_p99},
                       {"dense_bytes_mean", report.dense_bytes_mean},
                       {"dense_bytes_p99", report.dense_bytes_p99},
                       {"frequent_rows", report.frequent_rows},
                       {"token_rows", report.token_rows},
                       {"folded_layers", report.folded_layers}};
  if (report.side_bits != 0) json["side_bits"] = report.side_bits;
  if (report.flips) json["flips"] = *report.flips;
  ordered_json& layers = json["layers"] = ordered_json::array();
  for (const converter::LayerError& layer : report.layers) {
    layers.push_back({{"name", layer.name},
                      {"error_rms", layer.rms},
                      {"magnitude_rms", layer.magnitude},
                      {"relative", relative(layer)},
                      {"error_largest", layer.largest}});
  }
  if (!metrics) return json;
  json["reactions"] = reactions_json(*metrics);
  json["losing"] = losers(*metrics);
  return json;
}

void print_calibration(const CalibrationReport& report, const std::optional<CalibrationMetrics>& metrics,
                       Precision precision) {
  print_reads(report);
  print_layers(report);
  if (!metrics) return;
  print_reactions(*metrics, converter::kPrecisionNames[static_cast<size_t>(precision)]);
  const std::vector<std::string> names = losers(*metrics);
  if (names.empty()) return;
  fmt::print("  more than {} % of AP or {} points of RCE lost by {}: {}\n", kLostAp, kLostRce,
             fmt::join(names, ", "), advice(precision));
}

}  // namespace kinglet::cli
