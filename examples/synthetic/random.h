#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kinglet::synthetic {

/// One step of splitmix64: a bijection that turns any counter into a well-mixed 64-bit number.
constexpr uint64_t mix(uint64_t value) noexcept {
  value += 0x9E37'79B9'7F4A'7C15;
  value = (value ^ (value >> 30)) * 0xBF58'476D'1CE4'E5B9;
  value = (value ^ (value >> 27)) * 0x94D0'49BB'1331'11EB;
  return value ^ (value >> 31);
}

/// xoshiro256**, seeded through splitmix64. Integers and IEEE arithmetic only, so that one seed gives the
/// same numbers with every compiler and library (std:: distributions do not). Not thread-safe.
class Random {
 public:
  explicit Random(uint64_t seed) noexcept;

  uint64_t next() noexcept;
  /// Uniform in [0, 1), 53 bits.
  double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }
  /// Uniform in [0, bound), bound > 0, but for a bias below bound / 2^32.
  uint32_t below(uint32_t bound) noexcept { return static_cast<uint32_t>(((next() >> 32) * bound) >> 32); }
  /// Uniform in [low, high]; the span must be below 2^32.
  int64_t between(int64_t low, int64_t high) noexcept {
    return low + below(static_cast<uint32_t>(high - low + 1));
  }
  bool chance(double probability) noexcept { return uniform() < probability; }

 private:
  uint64_t state_[4];
};

/// Draws rank k of [0, size) with a probability proportional to 1 / (k + offset): a power law of exponent 1,
/// which needs no function but division. Immutable after construction.
class PowerLaw {
 public:
  PowerLaw(size_t size, double offset);
  size_t draw(Random& random) const noexcept;

 private:
  std::vector<double> cumulative_;
};

}  // namespace kinglet::synthetic
