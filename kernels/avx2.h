#pragma once

#include <immintrin.h>

#include "simd/kernels_s1.h"
#include "simd/kernels_s4.h"

/// AVX2 with FMA and F16C, for avx2.cpp and for the kernels of AVX-512 that do better with its vectors. In an
/// unnamed namespace: each file compiles its own with its own flags.
namespace kinglet::kernels {
namespace {

struct Avx2 : simd::BitOperators {
  using Batch = xsimd::batch<float, xsimd::fma3<xsimd::avx2>>;
  static constexpr size_t kRows = 4;
  static constexpr size_t kPanels = 2;
  static constexpr size_t kLanes = 2;
  KINGLET_INLINE Batch fused(Batch a, Batch b, Batch c) { return _mm256_fmadd_ps(a, b, c); }
  KINGLET_INLINE Batch widen(const int16_t* from) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(load_half(from)));
  }
  KINGLET_INLINE Batch widen(const Bf16* from) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_half(from)), 16));
  }
  KINGLET_INLINE void split(const Bf16* from, Batch& even, Batch& odd) {
    const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    even = _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
    odd = _mm256_castsi256_ps(_mm256_and_si256(words, _mm256_set1_epi32(static_cast<int>(0xFFFF'0000U))));
  }
  KINGLET_INLINE void interleave(Batch& first, Batch& second) {
    const __m256 low = _mm256_unpacklo_ps(first, second);
    const __m256 high = _mm256_unpackhi_ps(first, second);
    first = _mm256_permute2f128_ps(low, high, 0x20);
    second = _mm256_permute2f128_ps(low, high, 0x31);
  }
  KINGLET_INLINE Batch widen(const F16* from) { return _mm256_cvtph_ps(load_half(from)); }

  using Shorts = __m256i;
  using Ints = __m256i;
  using PairWeight = __m256i;
  KINGLET_INLINE Shorts zero_shorts() { return _mm256_setzero_si256(); }
  KINGLET_INLINE Ints zero_ints() { return _mm256_setzero_si256(); }
  KINGLET_INLINE __m256i load_bytes(const int8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  KINGLET_INLINE Shorts load_shorts(const int16_t* from) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
  }
  KINGLET_INLINE Shorts any_shorts(const int16_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  KINGLET_INLINE void store_shorts(int16_t* to, Shorts values) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), values);
  }
  KINGLET_INLINE Ints load_ints(const int32_t* from) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
  }
  KINGLET_INLINE Batch to_float(const int32_t* from) { return _mm256_cvtepi32_ps(load_ints(from)); }
  KINGLET_INLINE void store_ints(int32_t* to, Ints values) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), values);
  }
  KINGLET_INLINE PairWeight pair_weight(const uint8_t* counts) {
    int16_t both = 0;
    std::memcpy(&both, counts, sizeof both);
    return _mm256_set1_epi16(both);
  }
  KINGLET_INLINE void add_pair(Shorts& first, Shorts& second, __m256i a, __m256i b, PairWeight weight) {
    first = _mm256_add_epi16(first, _mm256_maddubs_epi16(weight, _mm256_unpacklo_epi8(a, b)));
    second = _mm256_add_epi16(second, _mm256_maddubs_epi16(weight, _mm256_unpackhi_epi8(a, b)));
  }
  /// Unpacking works within halves of 128 bits.
  KINGLET_INLINE void in_order(Shorts& first, Shorts& second) {
    const Shorts low = _mm256_permute2x128_si256(first, second, 0x20);
    second = _mm256_permute2x128_si256(first, second, 0x31);
    first = low;
  }
  KINGLET_INLINE Shorts widen_shorts(const int8_t* from) {
    return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
  }
  using WideWeight = __m256i;
  KINGLET_INLINE WideWeight wide_weight(int32_t a, int32_t b) {
    return _mm256_set1_epi32((a & 0xFFFF) | b * 0x1'0000);
  }
  KINGLET_INLINE void add_wide_pair(Ints& first, Ints& second, Shorts a, Shorts b, WideWeight weight) {
    first = _mm256_add_epi32(first, _mm256_madd_epi16(weight, _mm256_unpacklo_epi16(a, b)));
    second = _mm256_add_epi32(second, _mm256_madd_epi16(weight, _mm256_unpackhi_epi16(a, b)));
  }
  KINGLET_INLINE Shorts quad(const int16_t* from) {
    int64_t bits = 0;
    std::memcpy(&bits, from, sizeof bits);
    return _mm256_set1_epi64x(bits);
  }
  KINGLET_INLINE Ints add_products(Ints sums, Shorts a, Shorts b) {
    return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
  }
  KINGLET_INLINE void round_to_shorts(Batch values, int16_t* to) {
    const __m256i ints = _mm256_cvtps_epi32(values);
    _mm_store_si128(reinterpret_cast<__m128i*>(to),
                    _mm_packs_epi32(_mm256_castsi256_si128(ints), _mm256_extracti128_si256(ints, 1)));
  }

  using Nibbles = __m256i;
  KINGLET_INLINE Nibbles zero_nibbles() { return _mm256_setzero_si256(); }
  KINGLET_INLINE Nibbles load_nibbles(const uint8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  KINGLET_INLINE void add_nibbles(Nibbles& low, Nibbles& high, Nibbles pairs) {
    const Nibbles mask = _mm256_set1_epi8(15);
    low = _mm256_add_epi8(low, _mm256_and_si256(pairs, mask));
    high = _mm256_add_epi8(high, _mm256_and_si256(_mm256_srli_epi16(pairs, 4), mask));
  }
  KINGLET_INLINE Shorts widen_lower(Nibbles bytes) {
    return _mm256_cvtepu8_epi16(_mm256_castsi256_si128(bytes));
  }
  KINGLET_INLINE Shorts widen_upper(Nibbles bytes) {
    return _mm256_cvtepu8_epi16(_mm256_extracti128_si256(bytes, 1));
  }
  KINGLET_INLINE Shorts add_shorts(Shorts a, Shorts b) { return _mm256_add_epi16(a, b); }
  KINGLET_INLINE Shorts all_shorts(int16_t value) { return _mm256_set1_epi16(value); }

 private:
  KINGLET_INLINE __m128i load_half(const void* from) {
    return _mm_loadu_si128(static_cast<const __m128i*>(from));
  }
};

}  // namespace
}  // namespace kinglet::kernels
