#include "layout_builder.h"

#include "kinglet/feature_names.h"
#include "kinglet/formats/error.h"

namespace kinglet::converter {
namespace {

constexpr uint32_t kDefaultDepth = 20;
constexpr uint32_t kDefaultWidth = 256;
constexpr int kFirstScaleExponent = -1;  // spec section 3: x / 2^i for i = -1..6
constexpr int kLastScaleExponent = 6;
constexpr uint64_t kFourierValues = 2 * (kLastScaleExponent - kFirstScaleExponent + 1);

size_t numeric_count(bool communities) {
  return kRowNumerics + (communities ? kCommunityNumerics : 0);
}
size_t flag_count(bool communities) {
  return kRowFlags + (communities ? kCommunityFlags : 0);
}

std::unique_ptr<fbs::EncodingT> fourier_encoding() {
  auto encoding = std::make_unique<fbs::EncodingT>();
  encoding->name = "fourier";
  encoding->kind = fbs::EncodingKind::fourier;
  for (int i = kFirstScaleExponent; i <= kLastScaleExponent; ++i)
    encoding->scales.push_back(i < 0 ? 0.5 : 1U << i);
  return encoding;
}

}  // namespace

SketchShape find_sketch_shape(const Network& network, bool communities, uint32_t codebook_depth,
                              std::optional<uint32_t> depth, std::optional<uint32_t> width,
                              const std::string& file) {
  const uint64_t others = numeric_count(communities) * kFourierValues + flag_count(communities) +
                          network.language.dimensions + network.hour.dimensions + network.day.dimensions;
  const uint64_t inputs = network.inputs();
  const std::string found = "l1.weight has " + std::to_string(inputs) + " inputs, " + std::to_string(others) +
                            " of them beside the sketch (" + (communities ? "with" : "without") +
                            " communities)";
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

InputLayout build_layout(const Network& network, bool communities, SketchShape shape) {
  InputLayout result;
  result.layout = std::make_unique<fbs::FeatureLayoutT>();
  fbs::FeatureLayoutT& layout = *result.layout;
  layout.name = communities ? "recsys2021-communities" : "recsys2021";
  layout.inputs = static_cast<uint32_t>(network.inputs());

  layout.sketch = std::make_unique<fbs::SketchT>();
  layout.sketch->depth = shape.depth;
  layout.sketch->width = shape.width;
  uint64_t row = uint64_t{shape.depth} * shape.width;

  layout.encodings.push_back(fourier_encoding());
  for (size_t i = 0; i < numeric_count(communities); ++i, row += kFourierValues) {
    auto numeric = std::make_unique<fbs::NumericT>();
    numeric->name = numeric_names()[i];
    numeric->first_row = row;
    layout.numerics.push_back(std::move(numeric));
  }
  for (size_t i = 0; i < flag_count(communities); ++i, ++row) {
    auto flag = std::make_unique<fbs::FlagT>();
    flag->name = flag_names()[i];
    flag->first_row = row;
    layout.flags.push_back(std::move(flag));
  }
  result.plain_inputs = row;
  const EmbeddingTable* tables[] = {&network.language, &network.hour, &network.day};
  for (size_t i = 0; i < kEmbeddingNames.size(); ++i) {
    auto embedding = std::make_unique<fbs::EmbeddingT>();
    embedding->name = std::string(kEmbeddingNames[i]);
    embedding->categories = static_cast<uint32_t>(tables[i]->categories);
    embedding->first_row = row;
    row += tables[i]->categories;
    layout.embeddings.push_back(std::move(embedding));
  }
  result.rows = row;
  return result;
}

}  // namespace kinglet::converter
