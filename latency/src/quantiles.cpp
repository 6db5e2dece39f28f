#include "kinglet/latency/quantiles.h"

#include <algorithm>
#include <cmath>

namespace kinglet::latency {
namespace {

/// The smallest time that at least 1 - `beyond` of all are at or below.
std::optional<double> quantile(const std::vector<double>& sorted, double beyond) {
  const auto count = static_cast<double>(sorted.size());
  // A hundredth of 100 is 1, whatever rounding says.
  const auto above = static_cast<size_t>(std::floor(count * beyond + 1e-9));
  if (above < 1) return std::nullopt;
  return sorted[sorted.size() - 1 - above];
}

}  // namespace

Quantiles quantiles_of(std::vector<double>& microseconds) {
  Quantiles quantiles;
  quantiles.samples = microseconds.size();
  if (microseconds.empty()) return quantiles;
  std::sort(microseconds.begin(), microseconds.end());
  quantiles.minimum = microseconds.front();
  quantiles.p50 = microseconds[(microseconds.size() - 1) / 2];
  quantiles.p90 = quantile(microseconds, 0.1);
  quantiles.p99 = quantile(microseconds, 0.01);
  quantiles.p999 = quantile(microseconds, 0.001);
  return quantiles;
}

}  // namespace kinglet::latency
