#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "kinglet/features/encoding.h"
#include "kinglet/formats/model_file.h"

/// A model file's feature layout, checked and resolved: which rows of the first layer a request turns on.
namespace kinglet {

struct NumericFeature {
  uint32_t first_row = 0;
  uint32_t encoding = 0;
  int32_t source = -1;  // index into numeric_names(); -1: only a Request can give it
};

struct FlagFeature {
  uint32_t row = 0;
  int32_t source = -1;  // index into flag_names()
};

struct EmbeddingFeature {
  uint32_t first_row = 0;
  uint32_t categories = 0;
  int32_t source = -1;  // index into kEmbeddingNames
};

struct Layout {
  uint32_t sketch_first_row = 0;
  uint32_t depth = 0;
  uint32_t width = 0;
  fbs::SketchNorm norm = fbs::SketchNorm::row;
  const uint16_t* codes = nullptr;  // [tokens][depth], formats::kNoCode: the token has none
  uint64_t tokens = 0;

  std::vector<features::Encoding> encodings;
  std::vector<NumericFeature> numerics;
  std::vector<FlagFeature> flags;
  std::vector<EmbeddingFeature> embeddings;

  bool from_rows = false;          // every feature has a source
  bool needs_communities = false;  // some source is a community feature
  bool needs_shown = false;        // some source is one of the last kShownNumerics
};

/// Throws Error where a feature lies outside the table of rows, names an unknown encoding or has an
/// impossible size.
Layout resolve_layout(const formats::ModelFile& file, uint64_t row_count);

}  // namespace kinglet
