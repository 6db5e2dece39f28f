#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "kinglet/features/encoding.h"
#include "kinglet/features/token_mean.h"
#include "kinglet/formats/model_file.h"

#include "plan.h"

/// A model file's feature layout, checked and resolved: which rows of the first layer a request turns on.
namespace kinglet {

/// An encoded value of 1 in the units that 8-bit rows are added by. log_steps reach 4.5, Fourier 2 from 0.
inline constexpr float kEncodedUnits = 4096;

/// A row of one of the plan's tables.
struct RowPlace {
  uint32_t table = 0;
  uint32_t row = 0;  // from the table's first
};

struct NumericFeature {
  RowPlace rows;  // of the first encoded value; the others follow
  uint32_t encoding = 0;
  int32_t source = -1;  // index into numeric_names(); -1: only a Request can give it
  fbs::Scope scope = fbs::Scope::pair;
  std::vector<double> table_values;  // ascending: values with a row of their own, from table_rows on
  RowPlace table_rows;
};

struct FlagFeature {
  RowPlace rows;
  int32_t source = -1;  // index into flag_names()
  fbs::Scope scope = fbs::Scope::pair;
};

struct EmbeddingFeature {
  RowPlace rows;
  uint32_t categories = 0;
  int32_t source = -1;  // index into kEmbeddingNames
  fbs::Scope scope = fbs::Scope::pair;
};

struct Layout {
  RowPlace sketch_rows;
  uint32_t depth = 0;
  uint32_t width = 0;
  fbs::SketchNorm norm = fbs::SketchNorm::row;
  const uint16_t* codes = nullptr;  // [tokens][depth], formats::kNoCode: the token has none
  uint64_t tokens = 0;
  const int32_t* token_rows =
      nullptr;  // [tokens]: each one's row from token_row_place on, < 0: none; or null
  RowPlace token_row_place;
  uint32_t token_row_count = 0;

  features::TokenVectorTable token_vectors;  // without dimensions: the text is read as a sketch
  RowPlace mean_rows;                        // of the first dimension

  std::vector<features::Encoding> encodings;
  std::vector<std::vector<float>> at_zero;  // what each encoding makes of 0
  std::vector<bool> in_units;               // [tables]: encoded values in 8 bits, added in kEncodedUnits
  bool zero_in_bias = false;                // the bias holds every numeric feature at 0
  std::vector<NumericFeature> numerics;
  std::vector<FlagFeature> flags;
  std::vector<EmbeddingFeature> embeddings;

  /// Whether one row stands for all of the token's codes.
  bool has_row(uint32_t token) const noexcept {
    return token_rows != nullptr && token < tokens && token_rows[token] >= 0 &&
           static_cast<uint32_t>(token_rows[token]) < token_row_count;
  }

  bool from_rows = false;          // every feature has a source
  bool needs_communities = false;  // some source is a community feature
  bool needs_shown = false;        // some source is one of the kShownNumerics
};

/// Throws Error where a feature lies outside the tables of rows or in one of the wrong type, names an unknown
/// encoding or has an impossible size.
Layout resolve_layout(const formats::ModelFile& file, const std::vector<RowTable>& tables);

}  // namespace kinglet
