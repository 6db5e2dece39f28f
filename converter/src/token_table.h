#pragma once

#include <cstdint>
#include <vector>

#include "kinglet/converter/convert.h"

#include "layout_builder.h"
#include "network.h"
#include "pack.h"

namespace kinglet::converter {

/// What the model file says of each token: codes, or a vector.
struct TokenTable {
  TextShape shape;
  uint32_t limit = 0;           // 1 + the largest token id; 0: no token is known
  uint64_t known = 0;           // tokens with codes or a vector
  std::vector<uint16_t> codes;  // [rows()][depth], within their depth; formats::kNoCode: none
  std::vector<float> vectors;   // [rows()][dimensions]; zeros: none

  /// Never 0, so that the tensor has a shape.
  uint64_t rows() const { return limit == 0 ? 1 : limit; }
};

/// Reads the codebook or the vectors that the options name. Throws Error where they, the options and the
/// network's inputs do not agree.
TokenTable read_token_table(const ConvertOptions& options, const Network& network);

/// Adds it as the tensor that Model.codebook names.
void add_token_table(const TokenTable& table, fbs::ModelT& header, TensorPack& pack);

}  // namespace kinglet::converter
