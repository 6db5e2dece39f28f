#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include <tsl/robin_set.h>
#include <xxhash.h>

namespace kinglet::codebook {

/// Picks each distinct tweet once, in bounded memory: by 64-bit fingerprints of the ids. When the set would
/// outgrow its bound, the half of all tweets whose fingerprints begin with another 1 is left out from then
/// on, seen before or not; so the rest stands for twice as many. Not thread-safe.
class TweetSample {
 public:
  /// The set takes at most `memory_bytes`.
  explicit TweetSample(uint64_t memory_bytes) : limit_(std::max<uint64_t>(memory_bytes / kBytesATweet, 16)) {}

  /// How many tweets this one stands for; 0 if it was seen before or is left out.
  uint32_t take(std::string_view tweet_id) {
    const uint64_t fingerprint = XXH3_64bits(tweet_id.data(), tweet_id.size());
    if (left_out(fingerprint) || !seen_.insert(fingerprint).second) return 0;
    const uint32_t weight = this->weight();
    while (seen_.size() > limit_ && halvings_ < kMaxHalvings) halve();
    return weight;
  }

  uint32_t weight() const noexcept { return uint32_t{1} << halvings_; }

 private:
  // A bucket has 16 bytes; at most half are full, and an old table of half the size exists while one grows.
  // Sizes are powers of two.
  static constexpr uint64_t kBytesATweet = 16 * 2 * 2 * 3 / 2;
  static constexpr uint32_t kMaxHalvings = 31;

  bool left_out(uint64_t fingerprint) const noexcept {
    return halvings_ != 0 && fingerprint >> (64 - halvings_) != 0;
  }

  void halve() {
    ++halvings_;
    for (auto place = seen_.begin(); place != seen_.end();) {
      place = left_out(*place) ? seen_.erase(place) : std::next(place);
    }
  }

  uint64_t limit_;
  uint32_t halvings_ = 0;
  tsl::robin_set<uint64_t> seen_;
};

}  // namespace kinglet::codebook
