#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kinglet::features {

/// A vector a token: [tokens][dimensions]. One of zeros is none. A view: what it points to must outlive it.
struct TokenVectorTable {
  const float* vectors = nullptr;
  uint64_t tokens = 0;
  uint32_t dimensions = 0;

  bool has(uint32_t token) const noexcept;
};

/// out[dimensions] = the mean of the vectors of those tokens that have one, zeros if none has. `sums` is
/// scratch, [dimensions]. In binary64, in the order of the tokens, rounded once (docs/numerics.md). Returns
/// how many had one.
size_t token_mean(const TokenVectorTable& table, std::span<const uint32_t> tokens, double* sums,
                  float* out) noexcept;

}  // namespace kinglet::features
