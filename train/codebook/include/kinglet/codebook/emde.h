#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "kinglet/converter/token_vectors.h"
#include "kinglet/formats/progress.h"

namespace kinglet::codebook {

using converter::TokenVectors;

/// Projections (bits) that make one code.
inline constexpr size_t kBitsPerCode = 16;
inline constexpr uint32_t kMaxDepth = 256;
/// Codes have 16 bits.
inline constexpr uint32_t kMaxWidth = 65'536;

/// Where a projection is cut in two (spec section 5, step 3).
enum class Bias : uint8_t {
  median,    // half of the tokens on either side
  quantile,  // at a random quantile of the tokens, drawn for each projection
};

struct EmdeOptions {
  uint32_t depth = 20;   // codes a token, 1 to kMaxDepth
  uint32_t width = 256;  // values a code, 1 to kMaxWidth
  Bias bias = Bias::median;
  uint64_t seed = 0;
};

/// EMDE's hash of a token vector into `depth` codes, as fitted on some vectors (spec section 5). Immutable in
/// use, so any thread may read it. A plain value: mean and scale have one number a dimension, components
/// depth x kBitsPerCode x dimensions, biases one number a projection.
struct EmdeHash {
  uint32_t depth = 0;
  uint32_t width = 0;
  std::vector<double> mean;
  std::vector<double> scale;  // population standard deviation; 1 where a dimension is constant
  std::vector<float> components;
  std::vector<double> biases;

  size_t dimensions() const noexcept { return mean.size(); }
  size_t projections() const noexcept { return depth * kBitsPerCode; }
};

/// The vectors with each dimension centred and divided by its population standard deviation, as fit_emde does
/// it first; a constant one is only centred.
TokenVectors standardised(TokenVectors vectors);

/// Fits the hash. The same vectors and options give the same bits on every CPU. Takes tokens x 512 bytes
/// beside its result. Throws Error on options out of range and on no vectors at all.
EmdeHash fit_emde(const TokenVectors& vectors, const EmdeOptions& options, const ProgressFn& progress = {});

/// The absolute codes (code d lies in [d x width, (d + 1) x width)) of every token: [tokens][depth]. Throws
/// Error if the vectors have not the hash's dimensions.
std::vector<uint32_t> emde_codes(const EmdeHash& hash, const TokenVectors& vectors,
                                 const ProgressFn& progress = {});

/// Writes the hash as safetensors, so that tokens that come later can be coded as these were: "mean",
/// "scale", "biases" (f64), "components" (f32) and "width" (u32, [1]). Throws Error if the file cannot be
/// written.
void write_emde(const std::filesystem::path& path, const EmdeHash& hash);

/// Reads what write_emde() wrote, or an npz of the same arrays. Throws Error.
EmdeHash read_emde(const std::filesystem::path& path);

}  // namespace kinglet::codebook
