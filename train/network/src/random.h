#pragma once

#include <cstdint>

namespace kinglet::train {

/// A small generator (splitmix64) whose sequence is the same everywhere, unlike the standard library's
/// distributions. Streams with different names of one seed are independent.
class Random {
 public:
  explicit Random(uint64_t seed, uint64_t stream = 0) : state_(mix(mix(seed) + stream)) {}

  uint64_t next() noexcept {
    state_ += 0x9E3779B97F4A7C15U;
    return mix(state_);
  }
  /// Uniform in [0, 1), 53 bits.
  double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// Uniform in [0, bound), 0 < bound < 2^32: no value is more than 1 + bound / 2^32 times likelier than
  /// another.
  uint64_t below(uint64_t bound) noexcept { return (next() >> 32) * bound >> 32; }

 private:
  static uint64_t mix(uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

}  // namespace kinglet::train
