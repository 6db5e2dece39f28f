#pragma once

#include <bit>

#include "kinglet/kernels/kernels.h"

/// Lists of flips for every instruction set without an instruction that packs lanes: branch-free, as about
/// every fifth unit counts, in no order that a CPU could guess. In an unnamed namespace: each file compiles
/// its own with its own flags.
namespace kinglet::kernels {
namespace {

inline size_t list_flips(const float* flips, size_t width, RowTerm* terms) {
  size_t count = 0;
  for (size_t o = 0; o < width; ++o) {
    terms[count] = {static_cast<uint32_t>(o), flips[o]};
    count += flips[o] != 0 ? 1 : 0;
  }
  return count;
}

inline size_t count_flips(const float* flips, size_t width, float factor, CountTerm* terms) {
  constexpr float kRound = 0x1.8p23F;  // adding it leaves the integer in the low bits
  size_t count = 0;
  for (size_t o = 0; o < width; ++o) {
    const auto units = static_cast<int32_t>(std::bit_cast<uint32_t>(flips[o] * factor + kRound) & 0xFFFFU);
    terms[count] = {static_cast<uint32_t>(o), units};
    count += units != 0 ? 1 : 0;
  }
  return count;
}

}  // namespace
}  // namespace kinglet::kernels
