#pragma once

#include <immintrin.h>

#include "simd/kernels_f32.h"

/// What avx512.cpp and avx512vnni.cpp share. In an unnamed namespace: each file compiles its own with its own
/// flags.
namespace kinglet::kernels {
namespace {

struct Avx512 {
  using Batch = xsimd::batch<float, xsimd::avx512f>;
  static constexpr size_t kRows = 4;
  static constexpr size_t kPanels = 4;
  KINGLET_INLINE Batch fused(Batch a, Batch b, Batch c) { return _mm512_fmadd_ps(a, b, c); }
};

}  // namespace
}  // namespace kinglet::kernels
