#include "layout_builder.h"

#include "kinglet/feature_names.h"
#include "kinglet/formats/error.h"

namespace kinglet::converter {
namespace {

constexpr uint32_t kDefaultDepth = 20;
constexpr uint32_t kDefaultWidth = 256;

std::unique_ptr<fbs::EncodingT> encoding_of(const FeatureSet& set) {
  const features::Encoding encoding = set.numeric_encoding();
  auto result = std::make_unique<fbs::EncodingT>();
  if (encoding.kind == features::EncodingKind::fourier) {
    result->name = "fourier";
    result->kind = fbs::EncodingKind::fourier;
    for (const double inverse_scale : encoding.parameters) result->scales.push_back(1 / inverse_scale);
  } else {
    result->name = "log_steps";
    result->kind = fbs::EncodingKind::log_steps;
    result->scales = encoding.parameters;
  }
  return result;
}

uint64_t other_inputs(const Network& network, const FeatureSet& features) {
  return features.plain_inputs() + network.language.dimensions + network.hour.dimensions +
         network.day.dimensions;
}

std::string found_inputs(const Network& network, const FeatureSet& features) {
  const bool mean = features.text == TextInput::token_mean;
  return "l1.weight has " + std::to_string(network.inputs()) + " inputs, " +
         std::to_string(other_inputs(network, features)) + " of them beside the " +
         (mean ? "tokens' mean" : "sketch") + " (layout " + features.name() + ")";
}

}  // namespace

TextShape find_sketch_shape(const Network& network, const FeatureSet& features, uint32_t codebook_depth,
                            std::optional<uint32_t> depth, std::optional<uint32_t> width,
                            const std::string& file) {
  const uint64_t others = other_inputs(network, features);
  const uint64_t inputs = network.inputs();
  const std::string found = found_inputs(network, features);
  if (codebook_depth != 0 && depth && *depth != codebook_depth) {
    throw Error("--depth", "",
                std::to_string(*depth) + ", but the codebook has " + std::to_string(codebook_depth));
  }
  const uint32_t the_depth = codebook_depth != 0 ? codebook_depth : depth.value_or(kDefaultDepth);
  if (inputs <= others || the_depth == 0 || (inputs - others) % the_depth != 0) {
    throw Error(file, "tensor l1.weight",
                found + "; the rest is no whole width for depth " + std::to_string(the_depth));
  }
  const uint64_t the_width = (inputs - others) / the_depth;
  const std::optional<uint32_t> expected = codebook_depth == 0 ? width.value_or(kDefaultWidth) : width;
  if (expected && *expected != the_width) {
    throw Error(file, "tensor l1.weight",
                found + "; that makes the width " + std::to_string(the_width) + ", expected " +
                    std::to_string(*expected));
  }
  if (the_width > formats::kNoCode) {
    throw Error(file, "tensor l1.weight",
                found + "; a width of " + std::to_string(the_width) + " is above 65535");
  }
  return {the_depth, static_cast<uint32_t>(the_width)};
}

TextShape find_mean_shape(const Network& network, const FeatureSet& features, size_t dimensions,
                          const std::string& file) {
  if (network.inputs() != other_inputs(network, features) + dimensions) {
    throw Error(
        file, "tensor l1.weight",
        found_inputs(network, features) + "; the vectors have " + std::to_string(dimensions) + " dimensions");
  }
  return {0, 0, static_cast<uint32_t>(dimensions)};
}

InputLayout build_layout(const Network& network, const FeatureSet& features, TextShape text) {
  InputLayout result;
  result.layout = std::make_unique<fbs::FeatureLayoutT>();
  fbs::FeatureLayoutT& layout = *result.layout;
  layout.name = features.name();
  layout.inputs = static_cast<uint32_t>(network.inputs());

  layout.sketch = std::make_unique<fbs::SketchT>();
  layout.sketch->depth = text.depth;
  layout.sketch->width = text.width;
  layout.sketch->norm = features.sketch_norm;
  if (text.dimensions != 0) {
    layout.token_mean = std::make_unique<fbs::TokenMeanT>();
    layout.token_mean->dimensions = text.dimensions;
  }
  result.text_inputs = text.inputs();
  uint64_t row = text.inputs();

  layout.zero_in_bias = true;
  layout.encodings.push_back(encoding_of(features));
  const size_t encoded = features.numeric_encoding().values();
  for (const size_t source : features.numerics()) {
    auto numeric = std::make_unique<fbs::NumericT>();
    numeric->name = numeric_names()[source];
    numeric->first_row = row;
    numeric->scope = numeric_scope(source);
    row += encoded;
    layout.numerics.push_back(std::move(numeric));
  }
  for (size_t i = 0; i < features.flag_count(); ++i, ++row) {
    auto flag = std::make_unique<fbs::FlagT>();
    flag->name = flag_names()[i];
    flag->first_row = row;
    flag->scope = flag_scope(i);
    layout.flags.push_back(std::move(flag));
  }
  result.plain_inputs = row;
  const EmbeddingTable* tables[] = {&network.language, &network.hour, &network.day};
  for (size_t i = 0; i < kEmbeddingNames.size(); ++i) {
    auto embedding = std::make_unique<fbs::EmbeddingT>();
    embedding->name = std::string(kEmbeddingNames[i]);
    embedding->categories = static_cast<uint32_t>(tables[i]->categories);
    embedding->first_row = row;
    embedding->scope = fbs::Scope::tweet;
    row += tables[i]->categories;
    layout.embeddings.push_back(std::move(embedding));
  }
  result.rows = row;
  return result;
}

}  // namespace kinglet::converter
