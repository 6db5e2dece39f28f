#pragma once

#include <cstdint>

/// Where things lie in a model file (docs/formats/model.md), shared by its reader and writer.
namespace kinglet::formats {

inline constexpr uint64_t kTensorAlignment = 64;
inline constexpr uint64_t kIdentifierOffset = 8;     // after the size prefix and the root's offset
inline constexpr uint64_t kHeaderMinimum = 64;       // a valid header is longer
inline constexpr uint32_t kHeaderMaximum = 1 << 26;  // far above any real one; bounds the work of opening

constexpr uint64_t align_up(uint64_t offset) {
  return (offset + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

}  // namespace kinglet::formats
