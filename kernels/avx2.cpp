// Compiled with -mavx2 -mfma -mf16c, this file alone.
#include "avx2.h"

#include "scalar/flips.h"
#include "tables.h"

namespace kinglet::kernels {
namespace {

using F32 = simd::KernelsF32<Avx2>;
using S8 = simd::KernelsS8<Avx2>;
using S1 = simd::KernelsS1<Avx2>;
using S4 = simd::KernelsS4<Avx2>;

}  // namespace

const KernelTable avx2_table = {
    Isa::avx2,          F32::add_rows<float>, F32::add_rows<Bf16>, F32::add_rows<F16>, S8::add_rows_s16,
    S8::add_rows,       S4::add_rows,         S1::count_signs,     S1::add_signs,      S8::add_bundles,
    S8::add_bundles_s4, F32::gemv<float>,     F32::gemv<Bf16>,     F32::gemv<F16>,     S8::quantize,
    S8::gemv,           F32::activate,        F32::find_flips,     list_flips,         count_flips};

}  // namespace kinglet::kernels
