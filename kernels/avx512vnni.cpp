// Compiled with the flags of avx512.cpp and -mavx512vnni, this file alone. VNNI multiplies the integers of
// 8-bit rows and dense layers: all other kernels are those of AVX-512.
#include "avx512vnni/bundles.h"
#include "avx512vnni/dense.h"
#include "avx512vnni/rows.h"
#include "tables.h"

namespace kinglet::kernels {

const KernelTable avx512vnni_table = {Isa::avx512vnni,
                                      F32::add_rows<float>,
                                      F32::add_rows<Bf16>,
                                      F16Kernels::add_rows<F16>,
                                      S8::add_rows_s16,
                                      add_rows_s8,
                                      add_rows_s4,
                                      count_signs,
                                      simd::KernelsS1<Avx512>::add_signs,
                                      add_bundles<int8_t>,
                                      add_bundles<uint8_t>,
                                      F32::gemv<float>,
                                      F32::gemv<Bf16>,
                                      F16Kernels::gemv<F16>,
                                      quantize,
                                      gemv,
                                      F32::activate,
                                      F32::find_flips,
                                      list_flips,
                                      count_flips};

}  // namespace kinglet::kernels
