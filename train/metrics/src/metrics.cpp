#include "kinglet/metrics/metrics.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "kinglet/formats/error.h"

#include "src/accumulators.h"
#include "src/descending_order.h"

namespace kinglet::metrics {
namespace {

template <typename T>
void check(std::span<const T> probabilities, std::span<const uint8_t> positive) {
  if (probabilities.size() != positive.size()) {
    throw Error(fmt::format("expected as many probabilities as labels, got {} and {}", probabilities.size(),
                            positive.size()));
  }
  for (size_t i = 0; i < probabilities.size(); ++i) {
    if (!(probabilities[i] >= 0 && probabilities[i] <= 1)) {
      throw Error(fmt::format("row {}: expected a probability from 0 to 1, got {}", i, probabilities[i]));
    }
  }
}

template <typename T>
std::optional<double> precision_of(std::span<const T> probabilities, std::span<const uint8_t> positive) {
  check(probabilities, positive);
  const std::vector<uint32_t> order = descending_order(probabilities);
  PrecisionSum sum;
  for (size_t i = 0; i < order.size(); ++i) {
    sum.add(positive[order[i]] != 0, 1);
    if (i + 1 == order.size() || probabilities[order[i + 1]] != probabilities[order[i]]) sum.end_of_ties();
  }
  if (sum.positives() == 0) return std::nullopt;
  return sum.average_precision();
}

template <typename T>
std::optional<double> entropy_of(std::span<const T> probabilities, std::span<const uint8_t> positive) {
  check(probabilities, positive);
  Sum summed;
  uint64_t positives = 0;
  for (size_t i = 0; i < positive.size(); ++i) {
    summed.add(cross_entropy(probabilities[i], positive[i] != 0));
    positives += positive[i] != 0 ? 1 : 0;
  }
  if (positives == 0 || positives == positive.size()) return std::nullopt;
  return relative_cross_entropy(summed.value(), positives, positive.size());
}

}  // namespace

void PrecisionSum::end_of_ties() noexcept {
  if (positives_ == counted_) return;
  const double precision = static_cast<double>(positives_) / static_cast<double>(rows_);
  sum_.add(static_cast<double>(positives_ - counted_) * precision);
  counted_ = positives_;
}

double cross_entropy(double probability, bool positive) noexcept {
  const double clipped = std::clamp(probability, kClip, 1 - kClip);
  return -std::log(positive ? clipped : 1 - clipped);
}

double relative_cross_entropy(double summed, uint64_t positives, uint64_t rows) noexcept {
  const auto all = static_cast<double>(rows);
  const auto with = static_cast<double>(positives);
  const double constant = -(with * std::log(with / all) + (all - with) * std::log((all - with) / all));
  return 100 * (1 - summed / constant);
}

std::optional<double> average_precision(std::span<const float> probabilities,
                                        std::span<const uint8_t> positive) {
  return precision_of(probabilities, positive);
}

std::optional<double> average_precision(std::span<const double> probabilities,
                                        std::span<const uint8_t> positive) {
  return precision_of(probabilities, positive);
}

std::optional<double> relative_cross_entropy(std::span<const float> probabilities,
                                             std::span<const uint8_t> positive) {
  return entropy_of(probabilities, positive);
}

std::optional<double> relative_cross_entropy(std::span<const double> probabilities,
                                             std::span<const uint8_t> positive) {
  return entropy_of(probabilities, positive);
}

}  // namespace kinglet::metrics
