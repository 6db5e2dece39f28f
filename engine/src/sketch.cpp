#include "sketch.h"

#include <cmath>

namespace kinglet {

Sketch::Depth Sketch::depth(const Layout& layout, std::span<const uint32_t> tokens, uint32_t d,
                            Tokens which) noexcept {
  const uint32_t first_row = layout.sketch_rows.row + d * layout.width;
  uint32_t count = 0;
  for (const uint32_t token : tokens) {
    if (token >= layout.tokens || (which == Tokens::without_rows && layout.has_row(token))) continue;
    const uint32_t code = layout.codes[token * uint64_t{layout.depth} + d];
    // kNoCode is never below the width; nor does a damaged codebook lead outside the table.
    if (code >= layout.width) continue;
    uint32_t& place = places_[code];
    if (place == 0) {
      terms_[count] = {first_row + code, 0};
      place = ++count;
    }
    ++terms_[place - 1].count;  // at most 2^24: a tweet has no more tokens
  }
  double square_sum = 0;
  for (uint32_t t = 0; t < count; ++t) {
    square_sum += static_cast<double>(terms_[t].count) * static_cast<double>(terms_[t].count);
    places_[terms_[t].row - first_row] = 0;
  }
  return {{terms_, count}, square_sum};
}

float Sketch::Depth::row_scale() const noexcept {
  return static_cast<float>(1.0 / std::sqrt(square_sum));
}

float Sketch::tweet_scale(const Layout& layout, std::span<const uint32_t> tokens) noexcept {
  double square_sum = 0;
  for (uint32_t d = 0; d < layout.depth; ++d) square_sum += depth(layout, tokens, d, Tokens::all).square_sum;
  if (square_sum == 0) return 0;
  return static_cast<float>(std::sqrt(static_cast<double>(layout.depth) / square_sum));
}

}  // namespace kinglet
