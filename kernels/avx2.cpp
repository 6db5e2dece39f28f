// Compiled with -mavx2 -mfma, this file alone. xsimd's fma3<avx2> fuses; plain avx2 would multiply, round and
// add.
#include "simd/kernels_f32.h"
#include "tables.h"

namespace kinglet::kernels {
namespace {

using Kernels = simd::KernelsF32<xsimd::fma3<xsimd::avx2>>;

}  // namespace

const KernelTable avx2_table = {Isa::avx2, Kernels::add_rows, Kernels::gemv, Kernels::activate};

}  // namespace kinglet::kernels
