#include "src/strided.h"

#include <algorithm>

namespace kinglet::converter {
namespace {

bool multiply(uint64_t& product, uint64_t factor) {
  return !__builtin_mul_overflow(product, factor, &product);
}

}  // namespace

std::optional<uint64_t> element_count(std::span<const uint64_t> shape) noexcept {
  if (std::find(shape.begin(), shape.end(), 0U) != shape.end()) return 0;
  uint64_t count = 1;
  for (const uint64_t size : shape) {
    if (!multiply(count, size)) return std::nullopt;
  }
  return count;
}

std::optional<uint64_t> tensor_bytes(ElementType type, std::span<const uint64_t> shape) noexcept {
  auto bytes = element_count(shape);
  if (bytes && !multiply(*bytes, element_size(type))) return std::nullopt;
  return bytes;
}

std::array<uint64_t, kMaxDimensions> row_major_strides(std::span<const uint64_t> shape) noexcept {
  std::array<uint64_t, kMaxDimensions> strides{};
  uint64_t stride = 1;
  for (size_t dimension = shape.size(); dimension-- > 0;) {
    strides[dimension] = stride;
    stride *= shape[dimension];
  }
  return strides;
}

std::optional<uint64_t> last_index(uint64_t offset, std::span<const uint64_t> shape,
                                   std::span<const uint64_t> strides) noexcept {
  uint64_t last = offset;
  for (size_t dimension = 0; dimension < shape.size(); ++dimension) {
    uint64_t reach = shape[dimension] - 1;
    if (!multiply(reach, strides[dimension])) return std::nullopt;
    if (__builtin_add_overflow(last, reach, &last)) return std::nullopt;
  }
  return last;
}

void StridedWalk::next() noexcept {
  for (size_t dimension = shape_.size(); dimension-- > 0;) {
    index_ += strides_[dimension];
    if (++position_[dimension] < shape_[dimension]) return;
    index_ -= strides_[dimension] * shape_[dimension];
    position_[dimension] = 0;
  }
}

}  // namespace kinglet::converter
