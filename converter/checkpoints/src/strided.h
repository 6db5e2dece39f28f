#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "kinglet/converter/tensors.h"

#include "src/limits.h"

namespace kinglet::converter {

/// Elements of a shape, or nullopt beyond 64 bits. Zero if any dimension is, however large the others.
std::optional<uint64_t> element_count(std::span<const uint64_t> shape) noexcept;
/// Bytes of a tensor, or nullopt beyond 64 bits.
std::optional<uint64_t> tensor_bytes(ElementType type, std::span<const uint64_t> shape) noexcept;
/// Strides, in elements, of a row-major tensor. Its element count must fit into 64 bits.
std::array<uint64_t, kMaxDimensions> row_major_strides(std::span<const uint64_t> shape) noexcept;
/// Largest index that a non-empty tensor touches, or nullopt beyond 64 bits.
std::optional<uint64_t> last_index(uint64_t offset, std::span<const uint64_t> shape,
                                   std::span<const uint64_t> strides) noexcept;

/// Walks a shape with the last dimension fastest and keeps the index that the strides give. At most
/// kMaxDimensions.
class StridedWalk {
 public:
  StridedWalk(std::span<const uint64_t> shape, std::span<const uint64_t> strides, uint64_t offset) noexcept
      : shape_(shape), strides_(strides), index_(offset) {}
  uint64_t index() const noexcept { return index_; }
  void next() noexcept;

 private:
  std::span<const uint64_t> shape_;
  std::span<const uint64_t> strides_;
  std::array<uint64_t, kMaxDimensions> position_{};
  uint64_t index_;
};

}  // namespace kinglet::converter
