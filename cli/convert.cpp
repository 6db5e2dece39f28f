#include "kinglet/converter/convert.h"

#include <map>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "calibration_report.h"
#include "feature_set.h"
#include "progress.h"
#include "verbs.h"

namespace kinglet::cli {
namespace {

struct Arguments {
  converter::ConvertOptions options;
  FeatureSetArguments features;
  std::filesystem::path output;
  bool json = false;
};

nlohmann::ordered_json pairs_json(const std::vector<std::pair<std::string, std::string>>& pairs) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& [name, what] : pairs) object[name] = what;
  return object;
}

using Metrics = std::optional<CalibrationMetrics>;

void print_json(const converter::ConvertReport& report, const Metrics& metrics, const Arguments& arguments) {
  nlohmann::ordered_json json = {
      {"output", arguments.output.string()},
      {"precision", converter::kPrecisionNames[static_cast<size_t>(arguments.options.precision)]},
      {"file_bytes", report.file_bytes},
      {"weights_format", report.weights_format},
      {"key_prefix", report.key_prefix},
      {"layout", report.layout},
      {"inputs", report.inputs},
      {"hidden", report.hidden},
      {"depth", report.depth},
      {"width", report.width},
      {"dimensions", report.dimensions},
      {report.dimensions == 0 ? "tokens_with_codes" : "tokens_with_vectors", report.known_tokens},
      {"languages", report.languages},
      {"parameters", report.parameters},
      {"negligible", report.negligible},
      {"used", pairs_json(report.used)},
      {"ignored", pairs_json(report.ignored)},
  };
  if (report.calibration) json["calibration"] = calibration_json(*report.calibration, metrics);
  fmt::print("{}\n", json.dump(2));
}

void print_pairs(const char* title, const std::vector<std::pair<std::string, std::string>>& pairs) {
  fmt::print("{} ({})\n", title, pairs.size());
  for (const auto& [name, what] : pairs) fmt::print("  {:<32} {}\n", name, what);
}

void print_text(const converter::ConvertReport& report, const Metrics& metrics, const Arguments& arguments) {
  fmt::print("found    {}{}\n", report.weights_format,
             report.key_prefix.empty() ? "" : fmt::format(", key prefix '{}'", report.key_prefix));
  print_pairs("used", report.used);
  if (!report.ignored.empty()) print_pairs("ignored", report.ignored);
  const bool mean = report.dimensions != 0;
  const std::string text = mean ? fmt::format("mean of {} dimensions", report.dimensions)
                                : fmt::format("sketch {} x {}", report.depth, report.width);
  fmt::print("layout   {}: {} inputs, {}, hidden {}, {} parameters\n", report.layout, report.inputs, text,
             report.hidden, report.parameters);
  fmt::print("{} {} tokens with {}; {} languages\n", mean ? "vectors " : "codebook", report.known_tokens,
             mean ? "vectors" : "codes", report.languages);
  if (report.negligible != 0) fmt::print("made 0   {} numbers below 2^-100\n", report.negligible);
  if (report.calibration) print_calibration(*report.calibration, metrics, arguments.options.precision);
  fmt::print("wrote    {}: {} bytes, verified on every instruction set of this CPU\n",
             arguments.output.string(), report.file_bytes);
}

void run(const Arguments& arguments) {
  Progress progress;
  converter::ConvertOptions options = arguments.options;
  arguments.features.apply(options.features);
  const converter::ConvertReport report = converter::convert(options, arguments.output, progress.function());
  Metrics metrics;
  if (report.calibration)
    metrics = measure_calibration(options.calibration, *report.calibration, progress.function());
  progress.finish();
  if (arguments.json) {
    print_json(report, metrics, arguments);
  } else {
    print_text(report, metrics, arguments);
  }
}

void add_precision(CLI::App& verb, converter::Precision& precision) {
  std::map<std::string, converter::Precision> names;
  for (size_t i = 0; i < converter::kPrecisionNames.size(); ++i)
    names.emplace(converter::kPrecisionNames[i], static_cast<converter::Precision>(i));
  verb.add_option("--precision", precision,
                  "What the model file's weights are stored as: fp32 (the default), bf16, fp16, int8, "
                  "mixed (int8 rows, bf16 hidden layers) or int4 (int8, with 4-bit rows of the sketch)")
      ->transform(CLI::CheckedTransformer(names))
      ->option_text("fp32|bf16|fp16|int8|mixed|int4");
}

}  // namespace

void add_convert(CLI::App& app) {
  CLI::App* verb = app.add_subcommand(
      "convert",
      "Turn a trained checkpoint, a codebook (or token vectors) and a language table into a model file");
  auto arguments = std::make_shared<Arguments>();
  converter::ConvertOptions& options = arguments->options;
  verb->add_option("--weights", options.weights, "Checkpoint: torch.save's zip format, safetensors or npz")
      ->required();
  CLI::Option_group* text = verb->add_option_group("Text", "What the network reads of a tweet's text");
  text->add_option("--codebook", options.codebook, "JSON: token id -> absolute codes; {} for none");
  text->add_option(
      "--vectors", options.vectors,
      "Token vectors whose mean it reads instead, as they are (train's token_vectors.safetensors)");
  text->require_option(1);
  verb->add_option("--languages", options.languages, "JSON or pickled dict: hashed language -> row")
      ->required();
  verb->add_option("-o,--output", arguments->output, "Model file to write")->required();
  verb->add_option("--depth", options.depth, "Sketch depth where the codebook is empty [20]");
  verb->add_option("--width", options.width, "Sketch width where the codebook is empty [256]");
  verb->add_flag("--communities", options.features.communities,
                 "The network has the community features (77 numeric, 16 flags)");
  arguments->features.add_to(*verb);
  add_precision(*verb, options.precision);
  CLI::Option* rows = verb->add_option("--calibrate", options.calibration.rows,
                                       "Rows like those to be scored: gives frequent numbers rows of their "
                                       "own, and reports what the precision costs");
  CLI::Option* history =
      verb->add_option("--history", options.calibration.history, "The history that they are scored by");
  rows->needs(history);
  history->needs(rows);
  verb->add_option("--calibrate-rows", options.calibration.maximum_rows, "How many of them to take [20000]")
      ->needs(rows);
  verb->add_option("--frequent-bytes", options.calibration.frequent_bytes,
                   "Bytes for rows of frequent numbers [8M]")
      ->transform(CLI::AsSizeValue(false))
      ->needs(rows);
  verb->add_option("--token-bytes", options.calibration.token_bytes,
                   "Bytes for rows of frequent tokens, with --sketch-norm tweet [32M]")
      ->transform(CLI::AsSizeValue(false))
      ->needs(rows);
  verb->add_option("--fold", options.folded_layers,
                   "Hidden layers to fold into the first, 0 to 3 [what costs the rows least]")
      ->check(CLI::Range(0, 3))
      ->needs(rows);
  verb->add_flag("--strict", options.strict, "Refuse tensors that the network does not use");
  verb->add_flag("--json", arguments->json, "Report as JSON");
  verb->callback([arguments] { run(*arguments); });
}

}  // namespace kinglet::cli
