#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "kinglet/feature_set.h"
#include "kinglet/formats/model_file.h"

#include "network.h"

namespace kinglet::converter {

/// Features with their columns of the first layer's inputs (spec section 3) and their rows of the folded
/// table: the same order, but that an embedding has one row a category instead of one a dimension.
struct InputLayout {
  std::unique_ptr<fbs::FeatureLayoutT> layout;
  uint64_t text_inputs = 0;   // the first columns
  uint64_t plain_inputs = 0;  // columns before the embeddings: each is one row
  uint64_t rows = 0;
};

/// How a tweet's text is read: as a sketch, or, where there are dimensions, as the mean of the tokens'
/// vectors.
struct TextShape {
  uint32_t depth = 0;
  uint32_t width = 0;
  uint32_t dimensions = 0;

  uint64_t inputs() const { return dimensions != 0 ? dimensions : uint64_t{depth} * width; }
};

/// The sketch's shape from the first layer's inputs: what the other features leave, divided by the depth.
/// Throws Error where that is not whole or contradicts the options. `codebook_depth` 0: the codebook is
/// empty.
TextShape find_sketch_shape(const Network& network, const FeatureSet& features, uint32_t codebook_depth,
                            std::optional<uint32_t> depth, std::optional<uint32_t> width,
                            const std::string& file);

/// The mean of vectors of so many dimensions; throws Error where the first layer's inputs are others.
TextShape find_mean_shape(const Network& network, const FeatureSet& features, size_t dimensions,
                          const std::string& file);

InputLayout build_layout(const Network& network, const FeatureSet& features, TextShape text);

}  // namespace kinglet::converter
