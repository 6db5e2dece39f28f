#pragma once

#include <array>
#include <cstdint>

#include "kinglet/formats/row.h"

namespace kinglet::formats {

/// The counters of one key: rows with each reaction, and rows with none (spec section 2).
struct Counts {
  std::array<uint64_t, kReactions> reacted{};  // indexed by Reaction
  uint64_t none = 0;                           // not counted for languages and hashtags

  friend bool operator==(const Counts&, const Counts&) = default;
};

/// Five counters of 12 bits in one word: like, reply, retweet, quote, none from the lowest bits up. Larger
/// counts lie elsewhere in a file. Bits 60 to 62 are 0, and bit 63 says that the low bits are an index of
/// large counts.
struct PackedCounts {
  static constexpr unsigned kCounters = kReactions + 1;
  static constexpr unsigned kBits = 12;
  static constexpr uint64_t kMax = (uint64_t{1} << kBits) - 1;
  static constexpr uint64_t kLarge = uint64_t{1} << 63;

  /// One row with that reaction; counter number kReactions is "none".
  static constexpr uint64_t one(unsigned counter) noexcept { return uint64_t{1} << (counter * kBits); }

  static constexpr uint64_t field(uint64_t packed, unsigned counter) noexcept {
    return (packed >> (counter * kBits)) & kMax;
  }

  static constexpr bool fits(const Counts& counts) noexcept {
    uint64_t all = counts.none;
    for (const uint64_t count : counts.reacted) all |= count;
    return all <= kMax;
  }

  static constexpr uint64_t pack(const Counts& counts) noexcept {
    uint64_t packed = counts.none << (kReactions * kBits);
    for (unsigned r = 0; r < kReactions; ++r) packed |= counts.reacted[r] << (r * kBits);
    return packed;
  }

  static constexpr Counts unpack(uint64_t packed) noexcept {
    Counts counts;
    for (unsigned r = 0; r < kReactions; ++r) counts.reacted[r] = field(packed, r);
    counts.none = field(packed, kReactions);
    return counts;
  }
};

}  // namespace kinglet::formats
