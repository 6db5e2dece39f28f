#include "kinglet/features/token_mean.h"

#include <algorithm>

namespace kinglet::features {

bool TokenVectorTable::has(uint32_t token) const noexcept {
  if (token >= tokens) return false;
  const float* vector = vectors + uint64_t{token} * dimensions;
  return std::any_of(vector, vector + dimensions, [](float value) { return value != 0; });
}

size_t token_mean(const TokenVectorTable& table, std::span<const uint32_t> tokens, double* sums,
                  float* out) noexcept {
  std::fill_n(sums, table.dimensions, 0.0);
  size_t count = 0;
  for (const uint32_t token : tokens) {
    if (!table.has(token)) continue;
    const float* vector = table.vectors + uint64_t{token} * table.dimensions;
    for (uint32_t d = 0; d < table.dimensions; ++d) sums[d] += static_cast<double>(vector[d]);
    ++count;
  }
  for (uint32_t d = 0; d < table.dimensions; ++d)
    out[d] = count == 0 ? 0.0F : static_cast<float>(sums[d] / static_cast<double>(count));
  return count;
}

}  // namespace kinglet::features
