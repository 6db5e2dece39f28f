#include "kinglet/simulate/simulate.h"

#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "kinglet/metrics/report_json.h"

#include "arguments.h"
#include "progress.h"
#include "verbs.h"

namespace kinglet::cli {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  simulate::SimulateOptions options;
  std::filesystem::path output;
  bool json = false;
};

double rate(const metrics::ReactionResult& result) {
  return static_cast<double>(result.positives) / static_cast<double>(result.rows);
}

ordered_json split_json(const simulate::SplitReport& split) {
  ordered_json json = {{"rows", split.rows}, {"parts", split.parts}, {"bytes", split.bytes}};
  for (size_t r = 0; r < kReactions && split.rows > 0; ++r) {
    const metrics::ReactionResult& result = split.truth[r];
    ordered_json& entry = json["reactions"][std::string(metrics::reaction_name(static_cast<Reaction>(r)))];
    entry = {{"positives", result.positives}, {"rate", rate(result)}};
    if (!result.metrics) continue;
    entry["truth_average_precision"] = result.metrics->average_precision;
    entry["truth_relative_cross_entropy"] = result.metrics->relative_cross_entropy;
  }
  return json;
}

void print_json(const simulate::SimulateReport& report, const std::filesystem::path& output) {
  const simulate::WorldOptions& world = report.world;
  const ordered_json json = {{"output", output.string()},
                             {"rows", world.rows},
                             {"seed", world.seed},
                             {"days", world.days},
                             {"valid_days", world.valid_days},
                             {"readers", world.readers},
                             {"authors", world.authors},
                             {"languages", world.languages},
                             {"vocabulary", world.vocabulary},
                             {"train", split_json(report.train)},
                             {"valid", split_json(report.valid)}};
  fmt::print("{}\n", json.dump(2));
}

void print_split(const char* name, const simulate::SplitReport& split) {
  fmt::print("{}: {} rows, {} parts, {} bytes\n", name, split.rows, split.parts, split.bytes);
  for (size_t r = 0; r < kReactions && split.rows > 0; ++r) {
    const metrics::ReactionResult& result = split.truth[r];
    fmt::print("  {:<8} {:6.2f} %", metrics::reaction_name(static_cast<Reaction>(r)), 100 * rate(result));
    if (result.metrics) {
      fmt::print("   AP {:.4f}, RCE {:5.2f} of the true probabilities", result.metrics->average_precision,
                 result.metrics->relative_cross_entropy);
    }
    fmt::print("\n");
  }
}

void run(const Arguments& arguments) {
  Progress progress;
  simulate::SimulateOptions options = arguments.options;
  options.progress = progress.function();
  const simulate::SimulateReport report = simulate::simulate(options, arguments.output);
  progress.finish();
  if (arguments.json) {
    print_json(report, arguments.output);
    return;
  }
  fmt::print("{}: {} readers, {} authors among them, {} languages, {} days\n", arguments.output.string(),
             report.world.readers, report.world.authors, report.world.languages, report.world.days);
  print_split("train", report.train);
  print_split("valid", report.valid);
}

}  // namespace

void add_simulate(Verb program) {
  Verb verb = program.add_verb("simulate", "Write rows of an invented world, and their true probabilities");
  auto arguments = std::make_shared<Arguments>();
  simulate::SimulateOptions& options = arguments->options;
  simulate::WorldOptions& world = options.world;
  verb.option("--rows", world.rows, "Rows in all").required();
  verb.option("--days", world.days, "Days in all [28]");
  verb.option("--valid-days", world.valid_days, "The last days, written to valid/ [2]");
  verb.option("--seed", world.seed, "The same seed gives the same bytes [1]");
  verb.option("--readers", world.readers, "Users; 0 for a twentieth of the rows [0]");
  verb.option("--authors", world.authors, "Users who also write; 0 for a fiftieth of the rows [0]");
  verb.option("--languages", world.languages, "Languages [66]");
  verb.option("--vocabulary", world.vocabulary, "Token ids are below it [119547]");
  verb.option("--part-rows", options.part_rows, "Rows of a part file, at most [250000]");
  verb.option("-o,--output", arguments->output, "Folder to write: train/, valid/, truth/").required();
  verb.flag("--json", arguments->json, "Report as JSON");
  verb.action([arguments] { run(*arguments); });
}

}  // namespace kinglet::cli
