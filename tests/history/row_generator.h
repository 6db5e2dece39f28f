#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include "kinglet/formats/row.h"

#include "support/random.h"

namespace kinglet::test {

/// Any number of rows made one after the other, with the skew of a real network: few users and hashtags are
/// met very often, most hardly ever. The same seed gives the same rows.
class RowGenerator {
 public:
  RowGenerator(uint64_t seed, uint64_t users) : random_(seed), users_(users) {}

  /// Valid until the next call.
  const Row& next() {
    row_.author_id = name(0, 'a', skewed(users_ / 4));
    row_.reader_id = name(1, 'a', skewed(users_));
    row_.tweet_id = name(2, 't', skewed(users_ * 2));
    row_.language = name(3, 'l', skewed(66));
    const size_t hashtags = random_.below(8) < 6 ? 0 : 1 + random_.below(2);
    for (size_t h = 0; h < hashtags; ++h) hashtags_[h] = name(4 + h, 'h', skewed(users_ / 8));
    row_.hashtags = std::span(hashtags_.data(), hashtags);
    row_.tweet_timestamp = 1'612'396'800 + static_cast<int64_t>(random_.below(28 * 86'400));
    row_.engagee_follows_engager = random_.below(4) == 0;
    row_.has_labels = true;
    row_.reaction_timestamps = {};
    if (random_.below(2) == 0) row_.reaction_timestamps[random_.below(kReactions)] = row_.tweet_timestamp;
    return row_;
  }

 private:
  uint64_t skewed(uint64_t count) {
    const double u = random_.uniform(0, 1);
    return static_cast<uint64_t>(u * u * u * static_cast<double>(count));
  }

  std::string_view name(size_t slot, char kind, uint64_t number) {
    std::array<char, 40>& text = names_[slot];
    text[0] = kind;
    // As long as the real data's hashed ids.
    for (size_t digit = 0; digit < 31; ++digit)
      text[1 + digit] = "0123456789ABCDEF"[number >> (digit % 16 * 4) & 15];
    return {text.data(), 32};
  }

  Random random_;
  uint64_t users_;
  Row row_;
  std::array<std::string_view, 2> hashtags_;
  std::array<std::array<char, 40>, 6> names_{};
};

}  // namespace kinglet::test
