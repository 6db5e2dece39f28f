#include "src/draws.h"

#include <algorithm>
#include <bit>

#include "kinglet/features/elementary.h"

namespace kinglet::simulate {

double logarithm(double x) noexcept {
  constexpr double kLn2 = 0x1.62e42fefa39efp-1;
  const auto bits = std::bit_cast<uint64_t>(x);
  const auto exponent = static_cast<double>(static_cast<int64_t>(bits >> 52) - 1'023);
  const auto mantissa = std::bit_cast<double>((bits & 0xF'FFFF'FFFF'FFFF) | uint64_t{1'023} << 52);
  // Halley's steps for e^y = mantissa, 1 <= mantissa < 2: each cubes the error of the last, from 0.1 down.
  double y = (mantissa - 1) * 0.7;
  for (int step = 0; step < 4; ++step) {
    const double power = features::exponential(y);
    y += 2 * (mantissa - power) / (mantissa + power);
  }
  return exponent * kLn2 + y;
}

PowerLaw::PowerLaw(uint64_t size, double offset) noexcept
    : size_(size), offset_(offset), log_span_(logarithm((static_cast<double>(size) + offset) / offset)) {}

uint64_t PowerLaw::draw(Draws& draws) const noexcept {
  // The inverse of the continuous law's cumulative share log((k + offset) / offset) / log_span.
  const double rank = offset_ * (features::exponential(draws.uniform() * log_span_) - 1);
  return std::min(static_cast<uint64_t>(rank), size_ - 1);
}

}  // namespace kinglet::simulate
