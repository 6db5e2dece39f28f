#pragma once

#include <cmath>

namespace kinglet::metrics {

/// A sum that carries its rounding errors along (Neumaier), so that 10^8 terms lose nothing that shows.
class Sum {
 public:
  void add(double term) noexcept {
    const double sum = sum_ + term;
    lost_ += std::abs(sum_) >= std::abs(term) ? (sum_ - sum) + term : (term - sum) + sum_;
    sum_ = sum;
  }
  double value() const noexcept { return sum_ + lost_; }

 private:
  double sum_ = 0;
  double lost_ = 0;
};

}  // namespace kinglet::metrics
