#include "projection.h"

#include <algorithm>
#include <array>

namespace kinglet::codebook {

Projection::Projection(const EmdeHash& hash) : hash_(hash), panels_(hash.components.size()) {
  const size_t dimensions = hash.dimensions();
  for (size_t projection = 0; projection < hash.projections(); ++projection) {
    const size_t panel = projection / kBitsPerCode * dimensions;
    for (size_t dimension = 0; dimension < dimensions; ++dimension) {
      panels_[(panel + dimension) * kBitsPerCode + projection % kBitsPerCode] =
          hash.components[projection * dimensions + dimension];
    }
  }
}

void Projection::standardise(const TokenVectors& vectors, size_t first, size_t count,
                             std::span<double> out) const {
  const size_t dimensions = hash_.dimensions();
  for (size_t token = 0; token < count; ++token) {
    const auto vector = vectors.vector(first + token);
    const auto to = out.subspan(token * dimensions, dimensions);
    for (size_t dimension = 0; dimension < dimensions; ++dimension) {
      to[dimension] = (vector[dimension] - hash_.mean[dimension]) / hash_.scale[dimension];
    }
  }
}

void Projection::project(size_t depth, std::span<const double> standardised,
                         std::span<double, kBitsPerCode> out) const {
  const double* panel = panels_.data() + depth * hash_.dimensions() * kBitsPerCode;
  std::array<double, kBitsPerCode> sums{};
  for (const double value : standardised) {
    for (size_t bit = 0; bit < kBitsPerCode; ++bit) sums[bit] += value * panel[bit];
    panel += kBitsPerCode;
  }
  std::copy(sums.begin(), sums.end(), out.begin());
}

}  // namespace kinglet::codebook
