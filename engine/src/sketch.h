#pragma once

#include <cstdint>
#include <span>

#include "kinglet/kernels/kernels.h"

#include "arena.h"
#include "layout.h"

namespace kinglet {

/// The sketch of a tweet, one depth at a time, as active rows of the first layer (spec section 5). Scratch
/// for one session.
class Sketch {
 public:
  void book(const Layout& layout, Arena& arena) {
    places_offset_ = arena.book<uint32_t>(layout.width);
    terms_offset_ = arena.book<kernels::CountTerm>(layout.width);
  }
  void take(const Arena& arena) noexcept {
    places_ = arena.part<uint32_t>(places_offset_);
    terms_ = arena.part<kernels::CountTerm>(terms_offset_);
  }

  struct Depth {
    std::span<const kernels::CountTerm> terms;  // distinct codes in order of first appearance
    double square_sum;                          // of the counts; exact
    /// 1 / the L2 norm of the counts.
    float row_scale() const noexcept;
  };
  enum class Tokens : uint8_t { all, without_rows };  // without_rows: those with a row of their own left out
  /// `tokens` without the first and the last. Rows count from the first of the sketch's table. Valid until
  /// the next call.
  Depth depth(const Layout& layout, std::span<const uint32_t> tokens, uint32_t d, Tokens which) noexcept;
  /// With one norm a tweet: sqrt(depth) / the L2 norm of the counts of all depths, 0 where there are none.
  /// The factor keeps the inputs as large as with one norm a depth.
  float tweet_scale(const Layout& layout, std::span<const uint32_t> tokens) noexcept;

 private:
  size_t places_offset_ = 0;
  size_t terms_offset_ = 0;
  uint32_t* places_ = nullptr;  // by code: 1 + index of its term, 0 = none yet; all 0 between calls
  kernels::CountTerm* terms_ = nullptr;
};

}  // namespace kinglet
