// Compiled with -mavx2 -mfma, this file alone.
#include <immintrin.h>

#include "simd/kernels_f32.h"
#include "tables.h"

namespace kinglet::kernels {
namespace {

struct Avx2 {
  using Batch = xsimd::batch<float, xsimd::fma3<xsimd::avx2>>;
  static constexpr size_t kRows = 4;
  static constexpr size_t kPanels = 2;
  KINGLET_INLINE Batch fused(Batch a, Batch b, Batch c) { return _mm256_fmadd_ps(a, b, c); }
};

using Kernels = simd::KernelsF32<Avx2>;

}  // namespace

const KernelTable avx2_table = {Isa::avx2, Kernels::add_rows, Kernels::gemv, Kernels::activate};

}  // namespace kinglet::kernels
