// Compiled with -msse4.2, this file alone.
#include <nmmintrin.h>

#include "simd/kernels_f32.h"
#include "tables.h"

namespace kinglet::kernels {
namespace {

/// a * b + c rounded to odd: scalar/fused.h, two lanes at a time and without its branches.
KINGLET_INLINE __m128d fused_to_odd(__m128d a, __m128d b, __m128d c) {
  const __m128d product = _mm_mul_pd(a, b);
  const __m128d sum = _mm_add_pd(product, c);
  const __m128d carried = _mm_sub_pd(sum, product);
  const __m128d error = _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, carried)), _mm_sub_pd(c, carried));
  const __m128i bits = _mm_castpd_si128(sum);
  const __m128i one = _mm_set1_epi64x(1);
  // All ones in lanes whose last bit must change: the sum is inexact and even.
  const __m128i inexact = _mm_castpd_si128(_mm_cmpneq_pd(error, _mm_setzero_pd()));
  const __m128i even = _mm_sub_epi64(_mm_and_si128(bits, one), one);
  // +1 where error and sum have one sign, else -1.
  const __m128i signs = _mm_srai_epi32(_mm_xor_si128(_mm_castpd_si128(error), bits), 31);
  const __m128i step = _mm_or_si128(_mm_shuffle_epi32(signs, _MM_SHUFFLE(3, 3, 1, 1)), one);
  return _mm_castsi128_pd(_mm_add_epi64(bits, _mm_and_si128(step, _mm_and_si128(inexact, even))));
}

struct Sse42 {
  using Batch = xsimd::batch<float, xsimd::sse4_2>;
  static constexpr size_t kRows = 1;
  static constexpr size_t kPanels = 1;
  KINGLET_INLINE Batch fused(Batch a, Batch b, Batch c) {
    const __m128d low = fused_to_odd(_mm_cvtps_pd(a), _mm_cvtps_pd(b), _mm_cvtps_pd(c));
    const __m128d high = fused_to_odd(upper(a), upper(b), upper(c));
    return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
  }

 private:
  KINGLET_INLINE __m128d upper(__m128 a) { return _mm_cvtps_pd(_mm_movehl_ps(a, a)); }
};

using Kernels = simd::KernelsF32<Sse42>;

}  // namespace

const KernelTable sse42_table = {Isa::sse42, Kernels::add_rows, Kernels::gemv, Kernels::activate};

}  // namespace kinglet::kernels
