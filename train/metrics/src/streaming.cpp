#include "kinglet/metrics/streaming.h"

#include <bit>

#include "src/accumulators.h"

namespace kinglet::metrics {
namespace {

constexpr unsigned kDroppedBits = 15;

size_t bin_of(float probability) noexcept {
  return std::bit_cast<uint32_t>(probability + 0.0F) >> kDroppedBits;
}

}  // namespace

StreamingMetrics::StreamingMetrics() : bins_(bin_of(1) + 1) {}

void StreamingMetrics::add(float probability, bool positive) noexcept {
  Bin& bin = bins_[bin_of(probability)];
  ++bin.rows;
  bin.positives += positive ? 1 : 0;
  entropy_.add(cross_entropy(probability, positive));
}

ReactionResult StreamingMetrics::result() const {
  PrecisionSum sum;
  for (auto bin = bins_.rbegin(); bin != bins_.rend(); ++bin) {
    sum.add(true, bin->positives);
    sum.add(false, bin->rows - bin->positives);
    sum.end_of_ties();
  }
  ReactionResult result{sum.rows(), sum.positives(), std::nullopt};
  if (result.positives > 0 && result.positives < result.rows) {
    result.metrics = {sum.average_precision(),
                      relative_cross_entropy(entropy_.value(), result.positives, result.rows)};
  }
  return result;
}

}  // namespace kinglet::metrics
