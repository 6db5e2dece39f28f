#include "sketch.h"

#include <cmath>

namespace kinglet {

void Sketch::count(const Layout& layout, std::span<const uint32_t> tokens, Tokens which) noexcept {
  // A token's codes of all depths lie side by side, those of the tokens here and there.
  for (const uint32_t token : tokens) {
    if (token >= layout.tokens) continue;
    const uint16_t* codes = layout.codes + token * uint64_t{layout.depth};
    __builtin_prefetch(codes);
    __builtin_prefetch(codes + layout.depth - 1);
  }
  for (const uint32_t token : tokens) {
    if (token >= layout.tokens || (which == Tokens::without_rows && layout.has_row(token))) continue;
    count_codes(layout, layout.codes + token * uint64_t{layout.depth});
  }
  ends_[0] = 0;
  for (uint32_t depth = 0; depth < layout.depth; ++depth)
    ends_[depth + 1] = ends_[depth] + finish_depth(layout, depth, terms_ + ends_[depth]);
}

void Sketch::count_codes(const Layout& layout, const uint16_t* codes) noexcept {
  for (uint32_t depth = 0; depth < layout.depth; ++depth) {
    // kNoCode is never below the width; nor does a damaged codebook lead outside the table.
    if (codes[depth] >= layout.width) continue;
    const uint64_t row = uint64_t{depth} * layout.width + codes[depth];
    // Without a branch: which codes are new is no pattern that a CPU could guess.
    distinct_of(layout, depth)[distinct_counts_[depth]] = codes[depth];
    distinct_counts_[depth] += counts_[row]++ == 0 ? 1 : 0;
  }
}

/// The depth's terms and the sum of the squares of their counts; its scratch is all 0 again.
uint32_t Sketch::finish_depth(const Layout& layout, uint32_t depth, kernels::CountTerm* terms) noexcept {
  const uint64_t first = uint64_t{depth} * layout.width;
  const uint32_t count = distinct_counts_[depth];
  uint64_t square_sum = 0;
  uint32_t total = 0;
  for (uint32_t t = 0; t < count; ++t) {
    const uint64_t row = first + distinct_of(layout, depth)[t];
    const uint32_t occurrences = counts_[row];  // at most 2^24: a tweet has no more tokens
    terms[t] = {layout.sketch_rows.row + static_cast<uint32_t>(row), static_cast<int32_t>(occurrences)};
    square_sum += uint64_t{occurrences} * occurrences;
    total += occurrences;
    counts_[row] = 0;
  }
  distinct_counts_[depth] = 0;
  square_sums_[depth] = static_cast<double>(square_sum);
  totals_[depth] = total;
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
