#include "cooccurrence.h"

#include <algorithm>

#include "kinglet/codebook/learn.h"

namespace kinglet::codebook {
namespace {

// A bucket has 32 bytes; at most half are full, and an old table of half the size exists while one grows.
// Sizes are powers of two.
constexpr uint64_t kBytesAToken = 32 * 2 * 2 * 3 / 2;

}  // namespace

Cooccurrence::Cooccurrence(uint32_t window, uint64_t pair_bytes, uint64_t token_bytes)
    : window_(window), max_tokens_(token_bytes / kBytesAToken), pairs_(pair_bytes) {}

bool Cooccurrence::add(std::span<const uint32_t> tweet, uint32_t weight) {
  tweet = tweet.first(std::min(tweet.size(), kMaxTweetTokens));
  neighbours_.assign(tweet.size(), 0);
  for (size_t place = 0; place < tweet.size(); ++place) {
    const size_t end = std::min<size_t>(tweet.size(), place + 1 + window_);
    for (size_t other = place + 1; other < end; ++other) {
      if (tweet[place] == tweet[other]) continue;
      pairs_.add(key(tweet[place], tweet[other]), weight);
      ++neighbours_[place];
      ++neighbours_[other];
    }
  }
  for (size_t place = 0; place < tweet.size(); ++place) {
    TokenCount& count = tokens_[tweet[place]];
    count.occurrences += weight;
    count.neighbours += uint64_t{neighbours_[place]} * weight;
  }
  return tokens_.size() <= max_tokens_;
}

}  // namespace kinglet::codebook
