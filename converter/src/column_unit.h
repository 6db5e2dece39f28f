#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace kinglet::converter {

/// The largest whole number of units that the converter writes in 4 bits.
inline constexpr double kNibbleLimit = 7;

/// `value` in units as a narrow integer: within +-limit, or, of one bit (limit 0), -1 or 1.
inline double to_narrow(double value, double unit, double limit) {
  if (limit == 0) return value < 0 ? -1 : 1;
  return std::clamp(std::nearbyint(value / unit), -limit, limit);
}

/// The unit by which a column of `values` ([rows][columns]) loses least, in squares weighted by row, where
/// each is rounded to the nearest: a float; 1 where all values are 0.
inline double best_unit(std::span<const double> values, uint64_t columns, uint64_t column,
                        std::span<const double> weights, double limit) {
  double largest = 0;
  for (size_t r = 0; r < weights.size(); ++r)
    largest = std::max(largest, std::fabs(values[r * columns + column]));
  double best = 1;
  double least = std::numeric_limits<double>::infinity();
  const int steps = limit == 0 ? 64 : 16;
  for (int step = steps; step > 1; --step) {
    const auto unit = static_cast<double>(static_cast<float>(largest / std::max(limit, 1.0) * step / steps));
    if (unit == 0) return 1;
    double lost = 0;
    for (size_t r = 0; r < weights.size(); ++r) {
      const double value = values[r * columns + column];
      const double error = to_narrow(value, unit, limit) * unit - value;
      lost += weights[r] * error * error;
    }
    if (lost < least) best = unit;
    least = std::min(least, lost);
  }
  return best;
}

}  // namespace kinglet::converter
