#pragma once

#include <cstdint>
#include <span>

#include "kinglet/kernels/kernels.h"

#include "arena.h"
#include "layout.h"

namespace kinglet {

/// The sketch of a tweet as active rows of the first layer, depth by depth (spec section 5). Scratch for one
/// session.
class Sketch {
 public:
  void book(const Layout& layout, Arena& arena) {
    counts_offset_ = arena.book<uint32_t>(size_t{layout.depth} * layout.width);
    distinct_offset_ = arena.book<uint16_t>(size_t{layout.depth} * (size_t{layout.width} + 1));
    distinct_counts_offset_ = arena.book<uint32_t>(layout.depth);
    terms_offset_ = arena.book<kernels::CountTerm>(size_t{layout.depth} * layout.width);
    ends_offset_ = arena.book<uint32_t>(size_t{layout.depth} + 1);
    square_sums_offset_ = arena.book<double>(layout.depth);
    totals_offset_ = arena.book<uint32_t>(layout.depth);
  }
  void take(const Arena& arena) noexcept {
    counts_ = arena.part<uint32_t>(counts_offset_);
    distinct_ = arena.part<uint16_t>(distinct_offset_);
    distinct_counts_ = arena.part<uint32_t>(distinct_counts_offset_);
    terms_ = arena.part<kernels::CountTerm>(terms_offset_);
    ends_ = arena.part<uint32_t>(ends_offset_);
    square_sums_ = arena.part<double>(square_sums_offset_);
    totals_ = arena.part<uint32_t>(totals_offset_);
  }

  enum class Tokens : uint8_t { all, without_rows };  // without_rows: those with a row of their own left out
  /// Counts the codes of `tokens`, which are without the first and the last.
  void count(const Layout& layout, std::span<const uint32_t> tokens, Tokens which) noexcept;

  // Of the latest count():
  /// A depth's distinct codes in order of first appearance, with their counts. Rows count from the first of
  /// the sketch's table.
  std::span<const kernels::CountTerm> terms(uint32_t depth) const noexcept {
    return {terms_ + ends_[depth], ends_[depth + 1] - ends_[depth]};
  }
  /// The sum of a depth's counts.
  uint64_t total(uint32_t depth) const noexcept { return totals_[depth]; }
  /// How many terms of other depths follow behind them.
  size_t following(const Layout& layout, uint32_t depth) const noexcept {
    return ends_[layout.depth] - ends_[depth + 1];
  }
  /// 1 / the L2 norm of a depth's counts.
  float row_scale(uint32_t depth) const noexcept;
  /// With one norm a tweet: sqrt(depth) / the L2 norm of the counts of all depths, 0 where there are none.
  /// The factor keeps the inputs as large as with one norm a depth.
  float tweet_scale(const Layout& layout) const noexcept;

 private:
  uint16_t* distinct_of(const Layout& layout, uint32_t depth) const noexcept {
    return distinct_ + depth * (size_t{layout.width} + 1);
  }
  void count_codes(const Layout& layout, const uint16_t* codes) noexcept;
  uint32_t finish_depth(const Layout& layout, uint32_t depth, kernels::CountTerm* terms) noexcept;

  size_t counts_offset_ = 0;
  size_t distinct_offset_ = 0;
  size_t distinct_counts_offset_ = 0;
  size_t terms_offset_ = 0;
  size_t ends_offset_ = 0;
  size_t square_sums_offset_ = 0;
  size_t totals_offset_ = 0;
  uint32_t* counts_ = nullptr;           // [depth x width], all 0 between calls
  uint16_t* distinct_ = nullptr;         // [depth][width + 1]: a depth's codes in order of first appearance
  uint32_t* distinct_counts_ = nullptr;  // [depth]: how many they are; all 0 between calls
  kernels::CountTerm* terms_ = nullptr;
  uint32_t* ends_ = nullptr;       // [depth + 1]: where each depth's terms begin, and the last ones end
  double* square_sums_ = nullptr;  // [depth]: of the counts; exact
  uint32_t* totals_ = nullptr;     // [depth]: of the counts
};

}  // namespace kinglet
