#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "buffer.h"
#include "shape.h"

namespace kinglet::train {

/// Columns of a block: hidden sizes are padded to a multiple of it with columns whose weights are and stay 0.
inline constexpr size_t kBlock = 32;
/// Dense inputs of a group; their number is padded in the same way.
inline constexpr size_t kDenseGroup = 16;

/// The trained tensors as the trainer lays them out, inputs first ([in][out]): a row of a first layer's input
/// is contiguous, and oneDNN multiplies fastest so. The first layer holds l1 and projection side by side.
enum class Slot : uint8_t {
  sketch,      // [block of kBlock columns][sketch input][kBlock]
  dense,       // [block of kBlock columns][padded dense input][kBlock]
  first_bias,  // [columns]
  weight2,     // [hidden][padded hidden]
  weight3,
  weight4,
  bias2,  // [padded hidden]
  bias3,
  bias4,
  scale1,  // batch normalisation's weight and bias
  scale2,
  scale3,
  scale4,
  shift1,
  shift2,
  shift3,
  shift4,
  output,       // [4][padded hidden]
  output_bias,  // [4], padded
  language,     // [categories][kEmbedding], padded
  hour,
  day,
};
inline constexpr size_t kSlots = 22;
constexpr Slot slot(Slot first, size_t i) noexcept {
  return static_cast<Slot>(static_cast<size_t>(first) + i);
}

/// Where each slot lies in one array of floats.
class ParameterLayout {
 public:
  explicit ParameterLayout(const NetworkShape& shape);

  const NetworkShape& shape() const noexcept { return shape_; }
  size_t padded_hidden() const noexcept { return padded_hidden_; }
  /// Of the first layer: l1's padded columns, then projection's.
  size_t columns() const noexcept { return 2 * padded_hidden_; }
  size_t blocks() const noexcept { return columns() / kBlock; }
  size_t offset(Slot s) const noexcept { return offsets_[static_cast<size_t>(s)]; }
  size_t size(Slot s) const noexcept {
    return offset(static_cast<Slot>(static_cast<size_t>(s) + 1)) - offset(s);
  }
  /// Floats in all, padding included.
  size_t total() const noexcept { return offsets_[kSlots]; }
  size_t padded_dense() const noexcept { return padded_dense_; }
  /// The weight of dense input `input` and column `column`.
  size_t dense_at(size_t input, size_t column) const noexcept {
    return offset(Slot::dense) + (column / kBlock * padded_dense_ + input) * kBlock + column % kBlock;
  }
  /// The sketch's weight of input `input` and column `column`.
  size_t sketch_at(size_t input, size_t column) const noexcept {
    return offset(Slot::sketch) + (column / kBlock * shape_.sketch + input) * kBlock + column % kBlock;
  }

 private:
  NetworkShape shape_;
  size_t padded_hidden_;
  size_t padded_dense_;
  std::array<size_t, kSlots + 1> offsets_{};
};

/// Running statistics of the batch normalisations: not trained, but part of the state.
struct NormStatistics {
  explicit NormStatistics(const ParameterLayout& layout);
  std::array<Buffer<float>, kNorms> mean;
  std::array<Buffer<float>, kNorms> variance;
  int64_t batches = 0;
};

}  // namespace kinglet::train
