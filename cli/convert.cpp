#include "kinglet/converter/convert.h"

#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "arguments.h"
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

void add_precision(Verb verb, converter::Precision& precision) {
  std::vector<std::pair<std::string, converter::Precision>> names;
  for (size_t i = 0; i < converter::kPrecisionNames.size(); ++i)
    names.emplace_back(converter::kPrecisionNames[i], static_cast<converter::Precision>(i));
  verb.choice("--precision", precision, names,
              "What the model file's weights are stored as: fp32 (the default), bf16, fp16, int8, "
              "mixed (int8 rows, bf16 hidden layers) or int4 (int8, with rows of the sketch in 4 bits or 1)")
      .shown_as("fp32|bf16|fp16|int8|mixed|int4");
}

}  // namespace

void add_convert(Verb program) {
  Verb verb = program.add_verb(
      "convert",
      "Turn a trained checkpoint, a codebook (or token vectors) and a language table into a model file");
  auto arguments = std::make_shared<Arguments>();
  converter::ConvertOptions& options = arguments->options;
  verb.option("--weights", options.weights, "Checkpoint: torch.save's zip format, safetensors or npz")
      .required();
  Verb text = verb.exactly_one("Text", "What the network reads of a tweet's text");
  text.option("--codebook", options.codebook, "JSON: token id -> absolute codes; {} for none");
  text.option("--vectors", options.vectors,
              "Token vectors whose mean it reads instead, as they are (train's token_vectors.safetensors)");
  verb.option("--languages", options.languages, "JSON or pickled dict: hashed language -> row").required();
  verb.option("-o,--output", arguments->output, "Model file to write").required();
  verb.option("--depth", options.depth, "Sketch depth where the codebook is empty [20]");
  verb.option("--width", options.width, "Sketch width where the codebook is empty [256]");
  verb.flag("--communities", options.features.communities,
            "The network has the community features (77 numeric, 16 flags)");
  arguments->features.add_to(verb);
  add_precision(verb, options.precision);
  const Option rows = verb.option("--calibrate", options.calibration.rows,
                                  "Rows like those to be scored: gives frequent numbers rows of their "
                                  "own, and reports what the precision costs");
  const Option history =
      verb.option("--history", options.calibration.history, "The history that they are scored by");
  rows.needs(history);
  history.needs(rows);
  verb.option("--calibrate-rows", options.calibration.maximum_rows, "How many of them to take [20000]")
      .needs(rows);
  verb.option("--frequent-bytes", options.calibration.frequent_bytes,
              "Bytes for rows of frequent numbers [48M]")
      .bytes()
      .needs(rows);
  verb.option("--token-bytes", options.calibration.token_bytes,
              "Bytes for rows of frequent tokens, with --sketch-norm tweet [64M]")
      .bytes()
      .needs(rows);
  verb.option("--fold", options.folded_layers,
              "Hidden layers to fold into the first, 0 to 3 [what costs the rows least]")
      .range(0, 3)
      .needs(rows);
  verb.option("--scattered-cost", options.scattered_cost,
              "What a byte of rows costs beside one of dense layers where that is chosen: less where a CPU "
              "reads both alike [3]")
      .needs(rows);
  verb.option(
          "--side-bits", options.side_bits,
          "Of int4: bits of the sketch's rows in columns that tell little but a side of 0, those of folded "
          "layers, 1 or 4 [1 where few units are off their usual side]")
      .needs(rows);
  verb.flag("--strict", options.strict, "Refuse tensors that the network does not use");
  verb.flag("--json", arguments->json, "Report as JSON");
  verb.action([arguments] { run(*arguments); });
}

}  // namespace kinglet::cli
