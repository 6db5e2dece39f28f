#pragma once

#include <cstdint>

#include "kinglet/metrics/sum.h"

namespace kinglet::metrics {

/// AP from rows in descending order of probability. Counts are exact below 2^53.
class PrecisionSum {
 public:
  /// `weight` rows of one label.
  void add(bool positive, uint64_t weight) noexcept {
    rows_ += weight;
    positives_ += positive ? weight : 0;
  }
  /// No later row has the probability of the latest.
  void end_of_ties() noexcept;
  /// After end_of_ties(), with a positive at least.
  double average_precision() const noexcept { return sum_.value() / static_cast<double>(positives_); }
  uint64_t rows() const noexcept { return rows_; }
  uint64_t positives() const noexcept { return positives_; }

 private:
  uint64_t rows_ = 0;
  uint64_t positives_ = 0;
  uint64_t counted_ = 0;  // positives whose ties have ended
  Sum sum_;
};

/// Cross entropy of one row in nats.
double cross_entropy(double probability, bool positive) noexcept;

/// RCE from the summed cross entropy; 0 < positives < rows.
double relative_cross_entropy(double summed, uint64_t positives, uint64_t rows) noexcept;

}  // namespace kinglet::metrics
