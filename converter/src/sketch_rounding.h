#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kinglet/formats/progress.h"

#include "layout_builder.h"

namespace kinglet::converter {

/// Which rows of the sketch stand together in a tweet: those of a token's codes.
struct SketchTokens {
  std::span<const uint16_t> codes;  // [tokens][depth] within their depth, or formats::kNoCode
  TextShape shape;
  std::vector<double> weights;  // of each token: how often it is met, above 0
  ProgressFn progress;          // of rounding, which takes tens of seconds for a large codebook
};

/// Rows in few bits.
struct NarrowRows {
  std::vector<int8_t> units;  // [rows][columns], of 4 bits: -7 to 7; of 1: -1 or 1
  std::vector<double> scale;  // what one unit of a column is, floats
};

/// Rounds `values`, [depth x width][columns], so that the sum of a token's rows is nearly what it was, rather
/// than each row by itself: what the rows of one depth are off, the rows of the next one make up for, each
/// by the mean of what its tokens lack, weighted by how often they are met (error diffusion, as in pictures);
/// then once more with what all depths are off.
/// A column's unit is the one that loses least where each row is rounded to the nearest; what lies beyond 7
/// of it is cut, and made up for too. `bits`: 4, or 1, which leaves a sign. Deterministic.
NarrowRows round_sketch_rows(std::span<const double> values, uint64_t columns, uint32_t bits,
                             const SketchTokens& tokens);

}  // namespace kinglet::converter
