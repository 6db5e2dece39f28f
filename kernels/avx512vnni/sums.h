#pragma once

#include "avx512.h"

/// What the VNNI kernels share: products of bytes, in 32-bit sums.
namespace kinglet::kernels {
namespace {

using F32 = simd::KernelsF32<Avx512>;
using S8 = simd::KernelsS8<Avx512>;

KINGLET_INLINE __m512i broadcast(const void* from) {
  int32_t bits = 0;
  std::memcpy(&bits, from, sizeof bits);
  return _mm512_set1_epi32(bits);
}

/// 32-bit sums, of the type that the instruction has for the compiler: where they are __m512i, of 64-bit
/// lanes, g++ 12 copies each of them twice in every turn of the kernels' loops (llvm-mca, Ice Lake: 18.5
/// cycles a turn of gemv_tile in place of 5).
using Sums __attribute__((vector_size(64))) = int32_t;
KINGLET_INLINE __m512i ints(Sums sums) {
  return reinterpret_cast<__m512i>(sums);
}
KINGLET_INLINE Sums add_products(Sums sums, __m512i unsigned_bytes, __m512i bytes) {
  return reinterpret_cast<Sums>(_mm512_dpbusd_epi32(ints(sums), unsigned_bytes, bytes));
}

}  // namespace
}  // namespace kinglet::kernels
