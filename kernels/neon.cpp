// AArch64: Advanced SIMD and its fused multiply-add belong to every CPU, so this file needs no flags.
#include <arm_neon.h>

#include "simd/kernels_f32.h"
#include "tables.h"

namespace kinglet::kernels {
namespace {

struct Neon {
  using Batch = xsimd::batch<float, xsimd::neon64>;
  static constexpr size_t kRows = 4;
  static constexpr size_t kPanels = 2;
  KINGLET_INLINE Batch fused(Batch a, Batch b, Batch c) { return vfmaq_f32(c, a, b); }
};

using Kernels = simd::KernelsF32<Neon>;

}  // namespace

const KernelTable neon_table = {Isa::neon, Kernels::add_rows, Kernels::gemv, Kernels::activate};

}  // namespace kinglet::kernels
