#include "kinglet/converter/convert.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "kinglet/converter/tensors.h"
#include "kinglet/converter/vocabulary.h"
#include "kinglet/formats/error.h"
#include "kinglet/kernels/kernels.h"
#include "kinglet/request.h"

#include "calibration.h"
#include "first_layer_table.h"
#include "fold.h"
#include "fold_skeleton.h"
#include "layout_builder.h"
#include "network.h"
#include "pack.h"
#include "plan_parts.h"
#include "self_tests.h"
#include "token_table.h"

namespace kinglet::converter {
namespace {

std::string precision_name(Precision precision) {
  return std::string(kPrecisionNames[static_cast<size_t>(precision)]);
}

NarrowTypes types_of(Precision precision) {
  using enum fbs::ElementType;
  switch (precision) {
    case Precision::fp32:
      break;
    case Precision::bf16:
      return {bf16, bf16, bf16, bf16, bf16, bf16, bf16};
    case Precision::fp16:
      return {f16, f16, f16, f16, f16, f16, f16};
    case Precision::int8:
      return {s8, s8, s8, s16, s8, s8, s16};
    case Precision::mixed:
      return {s8, s8, s16, s16, s8, bf16, s16};
    case Precision::int4:
      return {s4, s8, s8, s16, s8, s8, s16};
  }
  return {f32, f32, f32, f32, f32, f32, f32};
}

std::unique_ptr<fbs::SourceT> make_source(const std::string& role, const std::string& format, uint64_t bytes,
                                          const formats::Checksum& checksum) {
  auto source = std::make_unique<fbs::SourceT>();
  source->role = role;
  source->format = format;
  source->bytes = bytes;
  source->checksum_low = checksum.low;
  source->checksum_high = checksum.high;
  return source;
}

std::unique_ptr<fbs::SourceT> source_of(const std::string& role, const std::string& format,
                                        const std::filesystem::path& path) {
  const formats::MappedFile file(path);
  return make_source(role, format, file.bytes().size(), formats::checksum_of(file.bytes()));
}

/// Rows 0..n-1 for n languages, the next one for all others (spec section 3).
void add_languages(const LanguageTable& languages, const Network& network, const ConvertOptions& options,
                   fbs::ModelT& header) {
  for (size_t i = 0; i < languages.size(); ++i) {
    if (languages[i].second != i) {
      throw Error(
          options.languages.string(), "'" + languages[i].first + "'",
          "row " + std::to_string(languages[i].second) + ", expected the rows 0, 1, 2, ... without a gap");
    }
    auto language = std::make_unique<fbs::LanguageT>();
    language->name = languages[i].first;
    language->category = languages[i].second;
    header.languages.push_back(std::move(language));
  }
  if (network.language.categories <= languages.size()) {
    throw Error(options.weights.string(), "tensor language.weight",
                std::to_string(network.language.categories) + " rows for " +
                    std::to_string(languages.size()) + " languages and one row for all others");
  }
  header.unknown_language = static_cast<uint32_t>(languages.size());
}

/// Those that change the result; calibration's only where there was one.
/// `side_bits`: 0 where all columns are alike.
std::string options_text(const ConvertOptions& options, const TextShape& shape, size_t folded_layers,
                         uint32_t side_bits) {
  const std::string sizes = shape.dimensions != 0 ? " dimensions=" + std::to_string(shape.dimensions)
                                                  : " depth=" + std::to_string(shape.depth) +
                                                        " width=" + std::to_string(shape.width);
  std::string text =
      "precision=" + precision_name(options.precision) + sizes + " layout=" + options.features.name();
  const CalibrationOptions& calibration = options.calibration;
  if (calibration.rows.empty()) return text;
  return text + " calibrate-rows=" + std::to_string(calibration.maximum_rows) +
         " frequent-bytes=" + std::to_string(calibration.frequent_bytes) +
         " token-bytes=" + std::to_string(calibration.token_bytes) +
         " fold=" + std::to_string(folded_layers) +
         (side_bits != 0 ? " side-bits=" + std::to_string(side_bits) : "");
}

void add_provenance(const ConvertOptions& options, const std::string& weights_format, const TextShape& shape,
                    size_t folded_layers, uint32_t side_bits, fbs::ModelT& header) {
  header.provenance = std::make_unique<fbs::ProvenanceT>();
  header.provenance->converter = "kinglet " KINGLET_VERSION;
  header.provenance->options = options_text(options, shape, folded_layers, side_bits);
  header.provenance->sources.push_back(source_of("weights", weights_format, options.weights));
  header.provenance->sources.push_back(options.vectors.empty()
                                           ? source_of("codebook", "json", options.codebook)
                                           : source_of("vectors", "by content", options.vectors));
  header.provenance->sources.push_back(source_of("languages", "json or pickle", options.languages));
}

void add_calibration_sources(const ConvertOptions& options, const CalibrationRows& rows,
                             fbs::ModelT& header) {
  auto& sources = header.provenance->sources;
  sources.push_back(make_source("calibration rows", "rows", rows.bytes, rows.checksum));
  sources.push_back(source_of("calibration history", "kinglet", options.calibration.history));
}

void check_strict(const TensorUse& use, const ConvertOptions& options) {
  if (!options.strict || use.unknown.empty()) return;
  throw Error(
      options.weights.string(), "tensor " + use.unknown.front(),
      "not part of the network, and --strict was given (" + std::to_string(use.unknown.size()) + " such)");
}

/// Everything a model file is made of.
struct Sources {
  std::string weights_format;
  std::string key_prefix;
  Network network;
  TensorUse use;
  TokenTable tokens;
  LanguageTable languages;
};

Sources read_sources(const ConvertOptions& options) {
  Sources sources;
  const Checkpoint checkpoint = read_checkpoint(options.weights);
  sources.weights_format = checkpoint.format;
  sources.key_prefix = checkpoint.key_prefix;
  sources.languages = read_languages(options.languages);
  sources.network = read_network(checkpoint, options.weights.string(), sources.use);
  check_strict(sources.use, options);
  sources.tokens = read_token_table(options, sources.network);
  return sources;
}

/// What calibration decides; by default nothing.
struct Choices {
  NarrowTypes types;
  Frequent frequent{};
  std::vector<double> token_weights{};  // by token: how often it is met
  Sides sides{};
  size_t layers = 0;  // folded
};

/// 0 where all columns are alike.
uint32_t side_bits_of(const Choices& choices, uint64_t hidden) {
  return narrow_columns(choices.types, hidden, choices.layers) != 0 ? choices.types.side_bits : 0;
}

std::unique_ptr<fbs::PlanT> fold(const Sources& sources, InputLayout& layout, Precision precision,
                                 const Choices& choices, const ProgressFn& progress, TensorPack& pack) {
  const Network& network = sources.network;
  const NarrowTypes& types = choices.types;
  SketchTokens tokens{sources.tokens.codes, sources.tokens.shape, choices.token_weights, progress};
  if (tokens.weights.empty()) tokens.weights.assign(sources.tokens.rows(), 1);
  if (choices.layers != 0) {
    return fold_skeleton(network, layout, choices.frequent, tokens, choices.sides.usual, choices.layers,
                         types, pack);
  }
  if (precision == Precision::fp32) return fold_dense_f32(network, layout, choices.frequent, pack);
  return fold_dense_narrow(network, layout, choices.frequent, tokens, types, pack);
}

/// The model but for its self-tests' logits.
struct Made {
  formats::ModelFileWriter writer;
  uint64_t negligible;  // floats that became 0
};
Made make_model(const Sources& sources, const ConvertOptions& options, Precision precision,
                const Choices& choices, const ProgressFn& progress) {
  InputLayout layout = build_layout(sources.network, options.features, sources.tokens.shape);
  TensorPack pack;
  fbs::ModelT header;
  header.precision = precision_name(precision);
  header.parameters = sources.network.parameters;
  for (const std::string_view target : kTargetNames) header.targets.emplace_back(target);
  header.plan = fold(sources, layout, precision, choices, progress, pack);
  header.layout = std::move(layout.layout);
  add_token_table(sources.tokens, header, pack);
  add_languages(sources.languages, sources.network, options, header);
  add_provenance(options, sources.weights_format, sources.tokens.shape, choices.layers,
                 side_bits_of(choices, sources.network.hidden()), header);
  add_self_tests(header, sources.tokens.limit);
  std::vector<std::vector<std::byte>> tensors = pack.release(header);
  return {{std::move(header), std::move(tensors)}, pack.negligible()};
}

/// The same network in fp32, and the calibration rows, whose requests are to it.
struct Reference {
  formats::ModelFileWriter::Image image;  // what `model` reads
  Model model;
  CalibrationRows rows;
};

Reference make_reference(const Sources& sources, const ConvertOptions& options, const ProgressFn& progress) {
  formats::ModelFileWriter writer =
      make_model(sources, options, Precision::fp32, {types_of(Precision::fp32)}, {}).writer;
  formats::ModelFileWriter::Image image = writer.image();
  Model model = Model::from_memory(image.bytes, "the network in fp32");
  CalibrationRows rows = read_rows(model, options.calibration, progress);
  return {std::move(image), std::move(model), std::move(rows)};
}

/// Elements of one row of the plan without folded layers.
uint64_t dense_columns(const Model& reference) {
  return reference.file().tensor("first_layer.bias", "plan").info->padded_columns();
}

/// Makes the choices of one conversion.
class Chooser {
 public:
  Chooser(const Reference& reference, const Sources& sources, const ConvertOptions& options)
      : reference_(reference),
        sources_(sources),
        options_(options),
        requests_(reference.rows.requests),
        choices_{types_of(options.precision)} {}

  Choices run(const ProgressFn& progress) {
    choices_.token_weights = token_weights(requests_, sources_.tokens.rows());
    const uint64_t columns = dense_columns(reference_.model);
    choose_once_type(columns);
    choices_.frequent = find_frequent(columns);
    if (options_.folded_layers != 0U) choose_folded(progress);
    const uint64_t categories[] = {sources_.network.language.categories, sources_.network.hour.categories,
                                   sources_.network.day.categories};
    choices_.frequent.once =
        once_rows(requests_, options_.features.flag_count(), categories, choices_.frequent.values);
    return std::move(choices_);
  }

 private:
  /// Rows that count once go down to 8 bits where those of the text, which are no more exact, are most of
  /// what a tweet adds. Where they are most themselves, they are few bytes, and all of the error.
  void choose_once_type(uint64_t columns) {
    if (choices_.types.encoded != fbs::ElementType::s8) return;
    const ActiveRows active = count_active(find_frequent(columns));
    if (active.sketch + active.tokens > active.features) choices_.types.once = fbs::ElementType::s8;
  }

  void choose_folded(const ProgressFn& progress) {
    choices_.sides = find_sides(reference_.model, requests_, progress);
    const uint64_t hidden = sources_.network.hidden();
    choices_.layers = options_.folded_layers.value_or(
        choose_layers(choices_.sides, count_active(choices_.frequent), choices_.types, hidden,
                      options_.side_bits, options_.scattered_cost));
    if (choices_.layers == 0) return;
    choices_.types.side_bits =
        options_.side_bits.value_or(choose_side_bits(choices_.sides, choices_.layers, hidden));
    // What rows that count once err is most of what is erred where they are most of what is added.
    if (!options_.side_bits && choices_.types.once != fbs::ElementType::s8) choices_.types.side_bits = 4;
    // Of fewer columns than make a group there are no signs.
    if (narrow_columns(choices_.types, hidden, choices_.layers) == 0) choices_.types.side_bits = 4;
    choices_.frequent = find_frequent(skeleton_columns(hidden, choices_.layers));
  }

  Frequent find_frequent(uint64_t columns) const {
    const CalibrationOptions& calibration = options_.calibration;
    Frequent frequent;
    frequent.values = frequent_values(requests_, reference_.model.numeric_count(), calibration.frequent_bytes,
                                      row_bytes(choices_.types.once, columns));
    frequent.vocabulary = sources_.tokens.rows();
    if (options_.features.sketch_norm != fbs::SketchNorm::tweet) return frequent;
    frequent.tokens = frequent_tokens(requests_, sources_.tokens.codes, sources_.tokens.shape,
                                      calibration.token_bytes, row_bytes(choices_.types.tokens, columns));
    return frequent;
  }

  /// Of any but the sketch's.
  uint64_t row_bytes(fbs::ElementType type, uint64_t columns) const {
    const uint64_t narrow = narrow_columns(choices_.types, sources_.network.hidden(), choices_.layers);
    const bool narrowed = choices_.types.side_bits == 1 && type == fbs::ElementType::s8;
    return formats::bytes_of(type, columns) - (narrowed ? narrow / 2 : 0);
  }

  ActiveRows count_active(const Frequent& frequent) const {
    return count_active_rows(requests_, frequent, sources_.tokens.codes, sources_.tokens.shape,
                             options_.features.numeric_encoding().values());
  }

  const Reference& reference_;
  const Sources& sources_;
  const ConvertOptions& options_;
  const std::vector<StoredRequest>& requests_;
  Choices choices_;
};

DenseBytes dense_bytes(const Reference& reference, const Network& network, const Choices& choices) {
  if (choices.layers == 0) return {};
  const uint64_t hidden = network.hidden();
  const uint64_t layer =
      formats::bytes_of(choices.types.hidden, hidden * round_up(hidden, kernels::kWidePanel));
  const auto there = static_cast<double>(dense_columns(reference.model));
  const auto here = static_cast<double>(skeleton_columns(hidden, choices.layers));
  const auto narrow = static_cast<double>(narrow_columns(choices.types, hidden, choices.layers));
  const bool signs = choices.types.side_bits == 1;
  DenseBytes bytes{there / (here - (signs ? narrow / 2 : 0)), there / here, choices.layers * layer};
  if (choices.types.sketch == fbs::ElementType::s4)  // all in 4 bits there, here the folded blocks in fewer
    bytes.sketch_share = there / 2 / (here - narrow * (signs ? 0.875 : 0.5));
  return bytes;
}

CalibrationReport compare_with(const Reference& reference, formats::ModelFileWriter& writer,
                               const Network& network, const Choices& choices, const ProgressFn& progress) {
  const formats::ModelFileWriter::Image image = writer.image();
  const Model model = Model::from_memory(image.bytes, "the converted model");
  CalibrationReport report =
      compare(model, reference.model, network, dense_bytes(reference, network, choices),
              reference.rows.requests, progress);
  report.frequent_rows = count_of(choices.frequent.values);
  report.token_rows = choices.frequent.tokens.size();
  report.folded_layers = static_cast<uint32_t>(choices.layers);
  report.side_bits = side_bits_of(choices, network.hidden());
  if (!choices.sides.usual[0].empty()) report.flips = choices.sides.flips;
  return report;
}

void check_options(const ConvertOptions& options) {
  if (options.codebook.empty() == options.vectors.empty())
    throw Error("--codebook", "", "expected either a codebook or token vectors (--vectors)");
  const CalibrationOptions& calibration = options.calibration;
  if (!calibration.rows.empty() && calibration.history.empty())
    throw Error("--calibrate", "", "needs the history that the rows are scored by (--history)");
  if (!calibration.rows.empty() && calibration.maximum_rows == 0)
    throw Error("--calibrate-rows", "", "expected at least one row");
  if (!(options.scattered_cost > 0) || !std::isfinite(options.scattered_cost))
    throw Error("--scattered-cost", "", "expected a number above 0");
  if (options.side_bits && options.precision != Precision::int4)
    throw Error("--side-bits", "", "belongs to --precision int4");
  if (options.side_bits && *options.side_bits != 1 && *options.side_bits != 4)
    throw Error("--side-bits", "", "expected 1 or 4");
  if (!options.folded_layers) return;
  if (*options.folded_layers > kFoldable)
    throw Error("--fold", "", "expected 0 to " + std::to_string(kFoldable) + " layers");
  if (*options.folded_layers > 0 && calibration.rows.empty())
    throw Error("--fold", "", "needs calibration rows, which show the units' usual signs (--calibrate)");
}

ConvertReport make_report(Sources sources, const fbs::ModelT& header) {
  ConvertReport report;
  report.weights_format = std::move(sources.weights_format);
  report.key_prefix = std::move(sources.key_prefix);
  report.used = std::move(sources.use.used);
  report.ignored = std::move(sources.use.ignored);
  report.layout = header.layout->name;
  report.inputs = header.layout->inputs;
  report.hidden = static_cast<uint32_t>(sources.network.hidden());
  report.depth = header.layout->sketch->depth;
  report.width = header.layout->sketch->width;
  report.dimensions = sources.tokens.shape.dimensions;
  report.known_tokens = sources.tokens.known;
  report.languages = header.languages.size();
  report.parameters = header.parameters;
  report.file_bytes = header.file_length;
  return report;
}

}  // namespace

ConvertReport convert(const ConvertOptions& given, const std::filesystem::path& output,
                      const ProgressFn& progress) {
  constexpr uint64_t kStages = 5;
  const auto report_stage = [&](const char* stage, uint64_t done) {
    if (progress) progress(stage, done, kStages, "steps");
  };
  check_options(given);
  ConvertOptions options = given;
  options.features.text = given.vectors.empty() ? TextInput::sketch : TextInput::token_mean;
  report_stage("reading", 0);
  Sources sources = read_sources(options);
  std::optional<Reference> reference;
  if (!options.calibration.rows.empty()) reference = make_reference(sources, options, progress);

  report_stage("folding", 1);
  const Choices choices =
      reference ? Chooser(*reference, sources, options).run(progress) : Choices{types_of(options.precision)};
  auto [writer, negligible] = make_model(sources, options, options.precision, choices, progress);
  if (reference) add_calibration_sources(options, reference->rows, writer.header());
  report_stage("self-tests", 2);
  record_self_tests(writer, output.string());
  report_stage("verifying", 3);
  verify_everywhere(writer, output.string());
  std::optional<CalibrationReport> calibration;
  if (reference) calibration = compare_with(*reference, writer, sources.network, choices, progress);
  report_stage("writing", 4);
  writer.write(output);
  report_stage("done", kStages);
  ConvertReport report = make_report(std::move(sources), writer.header());
  report.negligible = negligible;
  report.calibration = std::move(calibration);
  return report;
}

}  // namespace kinglet::converter
