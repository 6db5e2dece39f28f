#pragma once

#include <cmath>
#include <cstdint>

#include "logarithm.h"

namespace kinglet::codebook {

/// What random numbers are drawn for: each purpose has its own stream, so that adding one moves no other.
enum class Stream : uint64_t { components = 1, quantiles = 2, range_finder = 3 };

/// SplitMix64 and what is made of it by +, -, x, / and square roots alone: the same numbers on every
/// platform.
class Random {
 public:
  Random(uint64_t seed, Stream stream) : state_(seed) { state_ = next() ^ static_cast<uint64_t>(stream); }

  uint64_t next() {
    state_ += 0x9E37'79B9'7F4A'7C15U;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9U;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBU;
    return z ^ (z >> 31);
  }

  /// In [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

  /// N(0, 1), by Marsaglia's polar method.
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    double x = 0;
    double y = 0;
    double square = 0;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square == 0);
    const double factor = std::sqrt(-2 * logarithm(square) / square);
    spare_ = y * factor;
    has_spare_ = true;
    return x * factor;
  }

 private:
  uint64_t state_;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace kinglet::codebook
