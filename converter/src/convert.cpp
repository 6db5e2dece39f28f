#include "kinglet/converter/convert.h"

#include <algorithm>

#include "kinglet/converter/tensors.h"
#include "kinglet/converter/vocabulary.h"
#include "kinglet/formats/error.h"
#include "kinglet/request.h"

#include "fold.h"
#include "layout_builder.h"
#include "network.h"
#include "pack.h"
#include "self_tests.h"

namespace kinglet::converter {
namespace {

std::string precision_name(Precision precision) {
  return std::string(kPrecisionNames[static_cast<size_t>(precision)]);
}

std::unique_ptr<fbs::SourceT> source_of(const std::string& role, const std::string& format,
                                        const std::filesystem::path& path) {
  const formats::MappedFile file(path);
  const formats::Checksum checksum = formats::checksum_of(file.bytes());
  auto source = std::make_unique<fbs::SourceT>();
  source->role = role;
  source->format = format;
  source->bytes = file.bytes().size();
  source->checksum_low = checksum.low;
  source->checksum_high = checksum.high;
  return source;
}

/// [tokens][depth] codes within their depth; a token without codes holds kNoCode everywhere. Never empty, so
/// that the tensor has a shape.
std::vector<uint16_t> relative_codes(const CodebookJson& codebook, SketchShape sketch,
                                     const std::string& file) {
  std::vector<uint16_t> codes(std::max<uint64_t>(codebook.token_limit, 1) * sketch.depth, formats::kNoCode);
  for (size_t i = 0; i < codebook.codes.size(); ++i) {
    const uint32_t code = codebook.codes[i];
    if (code == CodebookJson::kNoCode) continue;
    const auto depth = static_cast<uint32_t>(i % sketch.depth);
    const uint64_t first = uint64_t{depth} * sketch.width;
    if (code < first || code >= first + sketch.width) {
      throw Error(file, "token " + std::to_string(i / sketch.depth),
                  "code " + std::to_string(code) + " at depth " + std::to_string(depth) + ", expected " +
                      std::to_string(first) + " to " + std::to_string(first + sketch.width - 1));
    }
    codes[i] = static_cast<uint16_t>(code - first);
  }
  return codes;
}

uint64_t tokens_with_codes(const CodebookJson& codebook) {
  uint64_t count = 0;
  for (uint32_t token = 0; token < codebook.token_limit; ++token) {
    if (codebook.codes[uint64_t{token} * codebook.depth] != CodebookJson::kNoCode) ++count;
  }
  return count;
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

void add_provenance(const ConvertOptions& options, const std::string& weights_format, SketchShape sketch,
                    fbs::ModelT& header) {
  header.provenance = std::make_unique<fbs::ProvenanceT>();
  header.provenance->converter = "kinglet " KINGLET_VERSION;
  header.provenance->options =
      "precision=" + precision_name(options.precision) + " depth=" + std::to_string(sketch.depth) +
      " width=" + std::to_string(sketch.width) + " layout=" + options.features.name();
  header.provenance->sources.push_back(source_of("weights", weights_format, options.weights));
  header.provenance->sources.push_back(source_of("codebook", "json", options.codebook));
  header.provenance->sources.push_back(source_of("languages", "json or pickle", options.languages));
}

void check_strict(const TensorUse& use, const ConvertOptions& options) {
  if (!options.strict || use.unknown.empty()) return;
  throw Error(
      options.weights.string(), "tensor " + use.unknown.front(),
      "not part of the network, and --strict was given (" + std::to_string(use.unknown.size()) + " such)");
}

ConvertReport make_report(const Checkpoint& checkpoint, const Network& network, const CodebookJson& codebook,
                          TensorUse use, const fbs::ModelT& header) {
  ConvertReport report;
  report.weights_format = checkpoint.format;
  report.key_prefix = checkpoint.key_prefix;
  report.used = std::move(use.used);
  report.ignored = std::move(use.ignored);
  report.layout = header.layout->name;
  report.inputs = header.layout->inputs;
  report.hidden = static_cast<uint32_t>(network.hidden());
  report.depth = header.layout->sketch->depth;
  report.width = header.layout->sketch->width;
  report.tokens_with_codes = tokens_with_codes(codebook);
  report.languages = header.languages.size();
  report.parameters = network.parameters;
  report.file_bytes = header.file_length;
  return report;
}

}  // namespace

ConvertReport convert(const ConvertOptions& options, const std::filesystem::path& output,
                      const ProgressFn& progress) {
  constexpr uint64_t kStages = 5;
  const auto report_stage = [&](const char* stage, uint64_t done) {
    if (progress) progress(stage, done, kStages, "steps");
  };
  report_stage("reading", 0);
  const Checkpoint checkpoint = read_checkpoint(options.weights);
  const CodebookJson codebook = read_codebook(options.codebook);
  const LanguageTable languages = read_languages(options.languages);
  TensorUse use;
  const Network network = read_network(checkpoint, options.weights.string(), use);
  check_strict(use, options);
  const SketchShape sketch = find_sketch_shape(network, options.features, codebook.depth, options.depth,
                                               options.width, options.weights.string());
  const std::vector<uint16_t> codes = relative_codes(codebook, sketch, options.codebook.string());

  report_stage("folding", 1);
  InputLayout layout = build_layout(network, options.features, sketch);
  TensorPack pack;
  fbs::ModelT header;
  header.precision = precision_name(options.precision);
  header.parameters = network.parameters;
  for (const std::string_view target : kTargetNames) header.targets.emplace_back(target);
  const FrequentValues frequent(layout.layout->numerics.size());
  header.plan = options.precision == Precision::int8 ? fold_dense_s8(network, layout, frequent, pack)
                                                     : fold_dense_f32(network, layout, frequent, pack);
  header.layout = std::move(layout.layout);
  header.codebook = "codebook";
  pack.add_codes("codebook", codes.size() / sketch.depth, sketch.depth, codes);
  add_languages(languages, network, options, header);
  add_provenance(options, checkpoint.format, sketch, header);
  add_self_tests(header, codebook.token_limit);
  std::vector<std::vector<std::byte>> tensors = pack.release(header);

  report_stage("self-tests", 2);
  formats::ModelFileWriter writer(std::move(header), std::move(tensors));
  record_self_tests(writer, output.string());
  report_stage("verifying", 3);
  verify_everywhere(writer, output.string());
  report_stage("writing", 4);
  writer.write(output);
  report_stage("done", kStages);
  return make_report(checkpoint, network, codebook, std::move(use), writer.header());
}

}  // namespace kinglet::converter
