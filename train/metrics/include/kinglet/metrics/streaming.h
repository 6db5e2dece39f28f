#pragma once

#include <cstdint>
#include <vector>

#include "kinglet/metrics/evaluation.h"
#include "kinglet/metrics/sum.h"

namespace kinglet::metrics {

/// One reaction's metrics over more rows than fit in memory: 0.5 MB whatever their number. RCE is exact; for
/// AP, probabilities that share their exponent and 8 bits of their mantissa count as equal, which moves it by
/// about 1e-4. Not thread-safe.
class StreamingMetrics {
 public:
  StreamingMetrics();
  /// `probability` is in [0, 1].
  void add(float probability, bool positive) noexcept;
  ReactionResult result() const;

 private:
  struct Bin {
    uint64_t rows = 0;
    uint64_t positives = 0;
  };
  std::vector<Bin> bins_;
  Sum entropy_;
};

}  // namespace kinglet::metrics
