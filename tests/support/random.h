#pragma once

#include <bit>
#include <cstdint>

namespace kinglet::test {

/// SplitMix64: small, seeded, the same numbers on every platform.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    state_ += 0x9E37'79B9'7F4A'7C15U;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9U;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBU;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t limit) { return next() % limit; }
  /// Uniform in [low, high).
  double uniform(double low, double high) {
    return low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53);
  }
  /// Any finite float with a magnitude of 2^-exponent to 2^exponent, either sign, or now and then zero.
  float wide_float(int exponent) {
    if (below(32) == 0) return below(2) == 0 ? 0.0F : -0.0F;
    const auto biased =
        static_cast<uint32_t>(127 - exponent + static_cast<int>(below(static_cast<uint64_t>(2 * exponent))));
    return std::bit_cast<float>(static_cast<uint32_t>(next() & 0x807F'FFFFU) | biased << 23);
  }

 private:
  uint64_t state_;
};

}  // namespace kinglet::test
