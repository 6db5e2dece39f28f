#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <tsl/robin_map.h>

#include "pair_counter.h"

namespace kinglet::codebook {

/// How often a token occurs, and how often any other token is its neighbour.
struct TokenCount {
  uint64_t occurrences = 0;
  uint64_t neighbours = 0;
};

/// Counts tokens and pairs of different tokens that stand within a window of each other. Not thread-safe.
class Cooccurrence {
 public:
  /// A pair counts if its places differ by at most `window`. Pairs take at most `pair_bytes`, tokens
  /// `token_bytes`.
  Cooccurrence(uint32_t window, uint64_t pair_bytes, uint64_t token_bytes);

  /// The tokens of one tweet, each occurrence counting `weight` times. At most kMaxTweetTokens are looked at.
  /// False if there is no room for another distinct token.
  [[nodiscard]] bool add(std::span<const uint32_t> tweet, uint32_t weight);

  const tsl::robin_map<uint32_t, TokenCount>& tokens() const noexcept { return tokens_; }
  const PairCounter& pairs() const noexcept { return pairs_; }
  uint64_t max_tokens() const noexcept { return max_tokens_; }

  /// The key of a pair, the same in either order.
  static uint64_t key(uint32_t a, uint32_t b) noexcept { return a < b ? pack(a, b) : pack(b, a); }
  static uint32_t first_of(uint64_t key) noexcept { return static_cast<uint32_t>(key >> 32); }
  static uint32_t second_of(uint64_t key) noexcept { return static_cast<uint32_t>(key); }

 private:
  static uint64_t pack(uint32_t high, uint32_t low) noexcept { return uint64_t{high} << 32 | low; }

  uint32_t window_;
  uint64_t max_tokens_;
  PairCounter pairs_;
  tsl::robin_map<uint32_t, TokenCount> tokens_;
  std::vector<uint32_t> neighbours_;  // of each place of the tweet at hand
};

}  // namespace kinglet::codebook
