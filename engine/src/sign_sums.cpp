#include "sign_sums.h"

#include <algorithm>
#include <cmath>

namespace kinglet {

void SignSums::begin(const RowTable& table, double scaled, uint64_t counted, float smallest,
                     bool same) noexcept {
  std::fill_n(counts_, table.narrow, int16_t{0});
  total_ = 0;
  unit_ = 0;
  scaled_ = scaled;
  // Rounding weights adds half of what counts at most.
  const double room = kernels::kMaximumSigns - 1 - static_cast<double>(counted) / 2;
  if (same && counted <= kernels::kMaximumSigns) unit_ = smallest;
  if (same || room <= 0) return;
  const auto unit = static_cast<float>(scaled / room);
  if (smallest >= kCoarsest * unit) unit_ = unit;
}

namespace {

int32_t counted(std::span<const kernels::CountTerm> terms) noexcept {
  int32_t sum = 0;
  for (const kernels::CountTerm& term : terms) sum += term.count;
  return sum;
}

}  // namespace

void SignSums::add(const kernels::KernelTable& kernels, const RowTable& table,
                   std::span<const kernels::CountTerm> terms, size_t ahead, float scale,
                   float* sum) noexcept {
  if (unit_ == 0) return add_apart(kernels, table, terms, ahead, scale, sum);
  const auto weight = static_cast<int32_t>(std::lround(scale / unit_));
  kernels.count_signs(static_cast<const uint8_t*>(table.rows), table.row_bytes(), table.narrow, terms.data(),
                      terms.size(), ahead, weight, counts_);
  total_ += weight * counted(terms);
}

/// Counts sum up to kMaximumCounts at most; where 16 bits do not hold them, each term's goes in as weights.
void SignSums::add_apart(const kernels::KernelTable& kernels, const RowTable& table,
                         std::span<const kernels::CountTerm> terms, size_t ahead, float scale,
                         float* sum) noexcept {
  const auto* rows = static_cast<const uint8_t*>(table.rows);
  const auto flush = [&] {
    kernels.add_signs(counts_, table.narrow, total_, scale, table.scale, sum);
    std::fill_n(counts_, table.narrow, int16_t{0});
    total_ = 0;
  };
  if (counted(terms) <= kernels::kMaximumSigns) {
    kernels.count_signs(rows, table.row_bytes(), table.narrow, terms.data(), terms.size(), ahead, 1, counts_);
    total_ = counted(terms);
    return flush();
  }
  for (const kernels::CountTerm& term : terms) {
    for (int32_t left = term.count; left > 0; left -= kernels::kMaximumSigns) {
      const kernels::CountTerm once{term.row, 1};
      total_ = std::min(left, kernels::kMaximumSigns);
      kernels.count_signs(rows, table.row_bytes(), table.narrow, &once, 1, 0, total_, counts_);
      flush();
    }
  }
}

void SignSums::end(const kernels::KernelTable& kernels, const RowTable& table, float* sum) noexcept {
  if (unit_ == 0 || total_ == 0) return;
  // Weights that are rounded alike would make all sums longer or shorter: they are right in the mean.
  const auto scale = static_cast<float>(scaled_ / total_);
  kernels.add_signs(counts_, table.narrow, total_, scale, table.scale, sum);
}

}  // namespace kinglet
