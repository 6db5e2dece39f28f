#include <array>
#include <string>

#include "kinglet/codebook/emde.h"
#include "kinglet/formats/error.h"

#include "projection.h"

namespace kinglet::codebook {
namespace {

// The first of the 16 bits is the highest of the first byte, the ninth that of the second; the bytes make a
// little-endian number.
uint32_t code_of(std::span<const double, kBitsPerCode> projections, std::span<const double> biases) {
  uint32_t code = 0;
  for (size_t bit = 0; bit < kBitsPerCode; ++bit) {
    if (projections[bit] > biases[bit]) code |= 1U << (bit / 8 * 8 + 7 - bit % 8);
  }
  return code;
}

}  // namespace

std::vector<uint32_t> emde_codes(const EmdeHash& hash, const TokenVectors& vectors,
                                 const ProgressFn& progress) {
  if (vectors.dimensions != hash.dimensions()) {
    throw Error("codebook", "",
                "expected vectors of " + std::to_string(hash.dimensions()) +
                    " dimensions, as the hash has, got " + std::to_string(vectors.dimensions));
  }
  const Projection projection(hash);
  std::vector<uint32_t> codes(vectors.tokens() * hash.depth);
  std::array<double, kBitsPerCode> bits{};
  for_each_block(projection, vectors, [&](size_t first, size_t count, std::span<const double> block) {
    if (progress) progress("coding", first, vectors.tokens(), "tokens");
    for (size_t depth = 0; depth < hash.depth; ++depth) {
      const auto biases = std::span(hash.biases).subspan(depth * kBitsPerCode, kBitsPerCode);
      for (size_t token = 0; token < count; ++token) {
        projection.project(depth, block.subspan(token * vectors.dimensions, vectors.dimensions), bits);
        codes[(first + token) * hash.depth + depth] =
            static_cast<uint32_t>(depth) * hash.width + code_of(bits, biases) % hash.width;
      }
    }
  });
  return codes;
}

}  // namespace kinglet::codebook
