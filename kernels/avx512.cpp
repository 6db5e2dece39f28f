// Compiled with -mavx512f, bw, dq and vl (and -mfma), this file alone.
#include "avx512.h"

#include "tables.h"

namespace kinglet::kernels {
namespace {

using Kernels = simd::KernelsF32<Avx512>;

}  // namespace

const KernelTable avx512_table = {Isa::avx512, Kernels::add_rows, Kernels::gemv, Kernels::activate};

}  // namespace kinglet::kernels
