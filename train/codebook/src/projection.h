#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "kinglet/codebook/emde.h"

namespace kinglet::codebook {

/// Projections of standardised vectors, in double, each sum over the dimensions in ascending order by one
/// accumulator: the bits do not depend on the CPU, nor on how tokens are blocked. Immutable.
class Projection {
 public:
  static constexpr size_t kBlockTokens = 32;

  /// The hash needs mean, scale and components, and must outlive the projection.
  explicit Projection(const EmdeHash& hash);

  /// Standardises the tokens [first, first + count) into `out`, [count][dimensions].
  void standardise(const TokenVectors& vectors, size_t first, size_t count, std::span<double> out) const;
  /// The kBitsPerCode projections of depth `depth` of one standardised vector.
  void project(size_t depth, std::span<const double> standardised, std::span<double, kBitsPerCode> out) const;

 private:
  const EmdeHash& hash_;
  std::vector<double> panels_;  // [depth][dimensions][kBitsPerCode]
};

/// Calls use(first, count, block) for blocks of tokens [first, first + count), standardised:
/// [count][dimensions].
template <typename Use>
void for_each_block(const Projection& projection, const TokenVectors& vectors, Use&& use) {
  std::vector<double> block(Projection::kBlockTokens * vectors.dimensions);
  for (size_t first = 0; first < vectors.tokens(); first += Projection::kBlockTokens) {
    const size_t count = std::min(Projection::kBlockTokens, vectors.tokens() - first);
    projection.standardise(vectors, first, count, block);
    use(first, count, std::span<const double>(block));
  }
}

}  // namespace kinglet::codebook
