// Compiled with the flags of avx512.cpp and -mavx512vnni, this file alone. VNNI multiplies integers: the fp32
// kernels are those of AVX-512.
#include "avx512.h"
#include "tables.h"

namespace kinglet::kernels {
namespace {

using Kernels = simd::KernelsF32<Avx512>;

}  // namespace

const KernelTable avx512vnni_table = {Isa::avx512vnni, Kernels::add_rows, Kernels::gemv, Kernels::activate};

}  // namespace kinglet::kernels
