#pragma once

#include <bit>
#include <cstdint>

#include "kinglet/kernels/kernels.h"

/// Stored numbers as floats, exactly, without instructions for it.
namespace kinglet::kernels {

inline float widen(float value) noexcept {
  return value;
}

inline float widen(Bf16 value) noexcept {
  return std::bit_cast<float>(uint32_t{value.bits} << 16);
}

inline float widen(F16 value) noexcept {
  constexpr uint32_t kBias = uint32_t{127 - 15} << 23;  // between the exponents of the two types
  const uint32_t sign = (value.bits & 0x8000U) << 16;
  const uint32_t magnitude = value.bits & 0x7FFFU;
  uint32_t bits = (magnitude << 13) + kBias;
  if (magnitude >= 0x7C00U) bits += kBias;  // infinity and NaN, which no table holds
  if (magnitude < 0x0400U) bits = std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24F);
  return std::bit_cast<float>(sign | bits);
}

}  // namespace kinglet::kernels
