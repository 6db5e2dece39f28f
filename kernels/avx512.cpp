// Compiled with -mavx512f, bw, dq and vl (and -mfma, -mf16c), this file alone.
#include "avx512.h"

#include "tables.h"

namespace kinglet::kernels {
namespace {

using F32 = simd::KernelsF32<Avx512>;
using S8 = simd::KernelsS8<Avx512>;

}  // namespace

const KernelTable avx512_table = {Isa::avx512,
                                  F32::add_rows<float>,
                                  F32::add_rows<Bf16>,
                                  F16Kernels::add_rows<F16>,
                                  S8::add_rows_s16,
                                  S8::add_rows,
                                  add_rows_s4,
                                  count_signs,
                                  simd::KernelsS1<Avx512>::add_signs,
                                  S8::add_bundles,
                                  S8::add_bundles_s4,
                                  F32::gemv<float>,
                                  F32::gemv<Bf16>,
                                  F16Kernels::gemv<F16>,
                                  S8::quantize,
                                  S8::gemv,
                                  F32::activate,
                                  F32::find_flips,
                                  list_flips,
                                  count_flips};

}  // namespace kinglet::kernels
