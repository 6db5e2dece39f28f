#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace kinglet::latency {

/// What a set of times comes down to, in microseconds. A quantile is there where at least one sample in the
/// mean lies beyond it: the 99.9th percentile needs 1,000.
struct Quantiles {
  size_t samples = 0;
  std::optional<double> minimum;
  std::optional<double> p50;
  std::optional<double> p90;
  std::optional<double> p99;
  std::optional<double> p999;
};

/// Sorts the times.
Quantiles quantiles_of(std::vector<double>& microseconds);

}  // namespace kinglet::latency
