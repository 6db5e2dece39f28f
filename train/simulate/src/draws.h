#pragma once

#include <cstdint>

/// Random numbers from integers, divisions and multiplications alone, so that all are the same everywhere.
namespace kinglet::simulate {

/// One step of splitmix64: a bijection that turns any counter into a well-mixed number.
constexpr uint64_t mix(uint64_t value) noexcept {
  value += 0x9E37'79B9'7F4A'7C15;
  value = (value ^ (value >> 30)) * 0xBF58'476D'1CE4'E5B9;
  value = (value ^ (value >> 27)) * 0x94D0'49BB'1331'11EB;
  return value ^ (value >> 31);
}

/// What a number is drawn for: draws of two purposes never meet.
enum class Purpose : uint8_t {
  user_id,
  tweet_id,
  hashtag_id,
  link_id,
  domain_id,
  language_id,
  account,
  author_order,
  community,
  neighbour,
  follow_edge,
  tweet,
  word,
  hot_topic,
  exposures,
  reader_appetite,
  author_appeal,
  pair_affinity,
  community_affinity,
  reader_taste,
  community_taste,
  topic_appeal,
  subtopic_appeal,
  style_in_topic,
  style_pair,
  generation_taste,
  daily_rhythm,
  topic_of_day,
  language_appeal,
  calibration,
};

/// A number that depends on all arguments.
constexpr uint64_t key(uint64_t seed, Purpose purpose, uint64_t a, uint64_t b = 0) noexcept {
  return mix(mix(mix(seed ^ uint64_t{static_cast<uint8_t>(purpose)} << 56) ^ a) ^ b);
}

/// Mean 0, variance 1, within +-3.5: the sum of the four 16-bit uniforms of `bits`.
constexpr double normal_of(uint64_t bits) noexcept {
  const uint64_t sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
  constexpr double kSqrt3 = 1.7320508075688772;
  return (static_cast<double>(sum) * 0x1p-16 - (2 - 0x1p-15)) * kSqrt3;
}

/// A fixed property: the same arguments, the same value.
constexpr double normal(uint64_t seed, Purpose purpose, uint64_t a, uint64_t b = 0) noexcept {
  return normal_of(key(seed, purpose, a, b));
}

/// A stream of numbers that a key starts.
/// One draw an expression: C++ leaves the order of two to the compiler, and g++ and clang++ differ.
class Draws {
 public:
  explicit Draws(uint64_t start) noexcept : state_(start) {}
  Draws(uint64_t seed, Purpose purpose, uint64_t a, uint64_t b = 0) noexcept
      : state_(key(seed, purpose, a, b)) {}

  uint64_t next() noexcept { return mix(state_++); }
  /// In [0, 1), 53 bits.
  double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// In [0, bound), 0 < bound <= 2^32, but for a bias below bound / 2^32.
  uint32_t below(uint64_t bound) noexcept { return static_cast<uint32_t>((next() >> 32) * bound >> 32); }
  /// In [low, high].
  int64_t between(int64_t low, int64_t high) noexcept {
    return low + below(static_cast<uint64_t>(high - low) + 1);
  }
  bool chance(double probability) noexcept { return uniform() < probability; }
  double normal() noexcept { return normal_of(next()); }

 private:
  uint64_t state_;
};

/// The natural logarithm of a normal double > 0, from additions, multiplications and divisions in one order.
double logarithm(double x) noexcept;

/// Draws rank k of [0, size) with a probability near proportional to 1 / (k + offset), without a table. size
/// >= 1.
class PowerLaw {
 public:
  PowerLaw(uint64_t size, double offset) noexcept;
  uint64_t draw(Draws& draws) const noexcept;

 private:
  uint64_t size_;
  double offset_;
  double log_span_;
};

}  // namespace kinglet::simulate
