// Compiled with -msse4.2, this file alone.
#include <nmmintrin.h>

#include "scalar/flips.h"
#include "simd/kernels_s1.h"
#include "simd/kernels_s4.h"
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

struct Sse42 : simd::BitOperators {
  using Batch = xsimd::batch<float, xsimd::sse4_2>;
  static constexpr size_t kRows = 1;
  static constexpr size_t kPanels = 1;
  static constexpr size_t kLanes = 1;
  KINGLET_INLINE Batch fused(Batch a, Batch b, Batch c) {
    const __m128d low = fused_to_odd(_mm_cvtps_pd(a), _mm_cvtps_pd(b), _mm_cvtps_pd(c));
    const __m128d high = fused_to_odd(upper(a), upper(b), upper(c));
    return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
  }
  KINGLET_INLINE Batch widen(const int16_t* from) {
    return _mm_cvtepi32_ps(_mm_cvtepi16_epi32(load_half(from)));
  }
  KINGLET_INLINE Batch widen(const Bf16* from) {
    return _mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(load_half(from)), 16));
  }
  KINGLET_INLINE void split(const Bf16* from, Batch& even, Batch& odd) {
    const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    even = _mm_castsi128_ps(_mm_slli_epi32(words, 16));
    odd = _mm_castsi128_ps(_mm_and_si128(words, _mm_set1_epi32(static_cast<int>(0xFFFF'0000U))));
  }
  KINGLET_INLINE void interleave(Batch& first, Batch& second) {
    const __m128 even = first;
    first = _mm_unpacklo_ps(even, second);
    second = _mm_unpackhi_ps(even, second);
  }
  /// scalar/widen.h, four lanes at a time.
  KINGLET_INLINE Batch widen(const F16* from) {
    const __m128i bits = _mm_cvtepu16_epi32(load_half(from));
    const __m128i magnitude = _mm_and_si128(bits, _mm_set1_epi32(0x7FFF));
    const __m128i sign = _mm_slli_epi32(_mm_xor_si128(bits, magnitude), 16);
    const __m128i bias = _mm_set1_epi32((127 - 15) << 23);
    const __m128i beyond = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7BFF));  // infinity, NaN
    const __m128i normal =
        _mm_add_epi32(_mm_add_epi32(_mm_slli_epi32(magnitude, 13), bias), _mm_and_si128(beyond, bias));
    const __m128 denormal = _mm_mul_ps(_mm_cvtepi32_ps(magnitude), _mm_set1_ps(0x1p-24F));
    const __m128i small = _mm_cmpgt_epi32(_mm_set1_epi32(0x0400), magnitude);
    return _mm_castsi128_ps(_mm_or_si128(sign, _mm_blendv_epi8(normal, _mm_castps_si128(denormal), small)));
  }

  using Shorts = __m128i;
  using Ints = __m128i;
  using PairWeight = __m128i;
  KINGLET_INLINE Shorts zero_shorts() { return _mm_setzero_si128(); }
  KINGLET_INLINE Ints zero_ints() { return _mm_setzero_si128(); }
  KINGLET_INLINE __m128i load_bytes(const int8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  KINGLET_INLINE Shorts load_shorts(const int16_t* from) {
    return _mm_load_si128(reinterpret_cast<const __m128i*>(from));
  }
  KINGLET_INLINE Shorts any_shorts(const int16_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  KINGLET_INLINE void store_shorts(int16_t* to, Shorts values) {
    _mm_store_si128(reinterpret_cast<__m128i*>(to), values);
  }
  KINGLET_INLINE Ints load_ints(const int32_t* from) {
    return _mm_load_si128(reinterpret_cast<const __m128i*>(from));
  }
  KINGLET_INLINE Batch to_float(const int32_t* from) { return _mm_cvtepi32_ps(load_ints(from)); }
  KINGLET_INLINE void store_ints(int32_t* to, Ints values) {
    _mm_store_si128(reinterpret_cast<__m128i*>(to), values);
  }
  KINGLET_INLINE PairWeight pair_weight(const uint8_t* counts) {
    int16_t both = 0;
    std::memcpy(&both, counts, sizeof both);
    return _mm_set1_epi16(both);
  }
  KINGLET_INLINE void add_pair(Shorts& first, Shorts& second, __m128i a, __m128i b, PairWeight weight) {
    first = _mm_add_epi16(first, _mm_maddubs_epi16(weight, _mm_unpacklo_epi8(a, b)));
    second = _mm_add_epi16(second, _mm_maddubs_epi16(weight, _mm_unpackhi_epi8(a, b)));
  }
  KINGLET_INLINE void in_order(Shorts& /*first*/, Shorts& /*second*/) {}
  KINGLET_INLINE Shorts widen_shorts(const int8_t* from) {
    return _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
  }
  using WideWeight = __m128i;
  KINGLET_INLINE WideWeight wide_weight(int32_t a, int32_t b) {
    return _mm_set1_epi32((a & 0xFFFF) | b * 0x1'0000);
  }
  KINGLET_INLINE void add_wide_pair(Ints& first, Ints& second, Shorts a, Shorts b, WideWeight weight) {
    first = _mm_add_epi32(first, _mm_madd_epi16(weight, _mm_unpacklo_epi16(a, b)));
    second = _mm_add_epi32(second, _mm_madd_epi16(weight, _mm_unpackhi_epi16(a, b)));
  }
  KINGLET_INLINE Shorts quad(const int16_t* from) {
    int64_t bits = 0;
    std::memcpy(&bits, from, sizeof bits);
    return _mm_set1_epi64x(bits);
  }
  KINGLET_INLINE Ints add_products(Ints sums, Shorts a, Shorts b) {
    return _mm_add_epi32(sums, _mm_madd_epi16(a, b));
  }
  KINGLET_INLINE void round_to_shorts(Batch values, int16_t* to) {
    const __m128i ints = _mm_cvtps_epi32(values);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi32(ints, ints));
  }

  using Nibbles = __m128i;
  KINGLET_INLINE Nibbles zero_nibbles() { return _mm_setzero_si128(); }
  KINGLET_INLINE Nibbles load_nibbles(const uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  KINGLET_INLINE void add_nibbles(Nibbles& low, Nibbles& high, Nibbles pairs) {
    const Nibbles mask = _mm_set1_epi8(15);
    low = _mm_add_epi8(low, _mm_and_si128(pairs, mask));
    high = _mm_add_epi8(high, _mm_and_si128(_mm_srli_epi16(pairs, 4), mask));
  }
  KINGLET_INLINE Shorts widen_lower(Nibbles bytes) { return _mm_cvtepu8_epi16(bytes); }
  KINGLET_INLINE Shorts widen_upper(Nibbles bytes) { return _mm_cvtepu8_epi16(_mm_srli_si128(bytes, 8)); }
  KINGLET_INLINE Shorts add_shorts(Shorts a, Shorts b) { return _mm_add_epi16(a, b); }
  KINGLET_INLINE Shorts all_shorts(int16_t value) { return _mm_set1_epi16(value); }

 private:
  KINGLET_INLINE __m128i load_half(const void* from) {
    return _mm_loadl_epi64(static_cast<const __m128i*>(from));
  }
  KINGLET_INLINE __m128d upper(__m128 a) { return _mm_cvtps_pd(_mm_movehl_ps(a, a)); }
};

using F32 = simd::KernelsF32<Sse42>;
using S8 = simd::KernelsS8<Sse42>;
using S1 = simd::KernelsS1<Sse42>;
using S4 = simd::KernelsS4<Sse42>;

}  // namespace

const KernelTable sse42_table = {
    Isa::sse42,         F32::add_rows<float>, F32::add_rows<Bf16>, F32::add_rows<F16>, S8::add_rows_s16,
    S8::add_rows,       S4::add_rows,         S1::count_signs,     S1::add_signs,      S8::add_bundles,
    S8::add_bundles_s4, F32::gemv<float>,     F32::gemv<Bf16>,     F32::gemv<F16>,     S8::quantize,
    S8::gemv,           F32::activate,        F32::find_flips,     list_flips,         count_flips};

}  // namespace kinglet::kernels
