#include "sketch.h"

#include <cmath>

namespace kinglet {

void Sketch::count(const Layout& layout, std::span<const uint32_t> tokens, Tokens which) noexcept {
  ends_[0] = 0;
  for (uint32_t depth = 0; depth < layout.depth; ++depth)
    ends_[depth + 1] = ends_[depth] + count_depth(layout, tokens, depth, which, terms_ + ends_[depth]);
}

uint32_t Sketch::count_depth(const Layout& layout, std::span<const uint32_t> tokens, uint32_t depth,
                             Tokens which, kernels::CountTerm* terms) noexcept {
  const uint32_t first_row = layout.sketch_rows.row + depth * layout.width;
  uint32_t count = 0;
  for (const uint32_t token : tokens) {
    if (token >= layout.tokens || (which == Tokens::without_rows && layout.has_row(token))) continue;
    const uint32_t code = layout.codes[token * uint64_t{layout.depth} + depth];
    // kNoCode is never below the width; nor does a damaged codebook lead outside the table.
    if (code >= layout.width) continue;
    uint32_t& place = places_[code];
    if (place == 0) {
      terms[count] = {first_row + code, 0};
      place = ++count;
    }
    ++terms[place - 1].count;  // at most 2^24: a tweet has no more tokens
  }
  double square_sum = 0;
  for (uint32_t t = 0; t < count; ++t) {
    square_sum += static_cast<double>(terms[t].count) * static_cast<double>(terms[t].count);
    places_[terms[t].row - first_row] = 0;
  }
  square_sums_[depth] = square_sum;
  return count;
}

float Sketch::row_scale(uint32_t depth) const noexcept {
  return static_cast<float>(1.0 / std::sqrt(square_sums_[depth]));
}

float Sketch::tweet_scale(const Layout& layout) const noexcept {
  double square_sum = 0;
  for (uint32_t depth = 0; depth < layout.depth; ++depth) square_sum += square_sums_[depth];
  if (square_sum == 0) return 0;
  return static_cast<float>(std::sqrt(static_cast<double>(layout.depth) / square_sum));
}

}  // namespace kinglet
