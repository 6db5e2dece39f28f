#pragma once

#include <immintrin.h>

#include "avx2.h"
#include "simd/kernels_s1.h"
#include "simd/kernels_s4.h"

/// What avx512.cpp and avx512vnni.cpp share. In an unnamed namespace: each file compiles its own with its own
/// flags.
namespace kinglet::kernels {
namespace {

struct Avx512 {
  using Batch = xsimd::batch<float, xsimd::avx512f>;
  static constexpr size_t kRows = 4;
  static constexpr size_t kPanels = 4;
  static constexpr size_t kLanes = 4;
  KINGLET_INLINE Batch fused(Batch a, Batch b, Batch c) { return _mm512_fmadd_ps(a, b, c); }
  KINGLET_INLINE Batch widen(const int16_t* from) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(load_half(from)));
  }
  KINGLET_INLINE Batch widen(const Bf16* from) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_half(from)), 16));
  }
  KINGLET_INLINE void split(const Bf16* from, Batch& even, Batch& odd) {
    const __m512i words = _mm512_loadu_si512(from);
    even = _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
    odd = _mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32(static_cast<int>(0xFFFF'0000U))));
  }
  KINGLET_INLINE void interleave(Batch& first, Batch& second) {
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    const __m512 even = first;
    first = _mm512_permutex2var_ps(even, low, second);
    second = _mm512_permutex2var_ps(even, high, second);
  }

  using Shorts = __m512i;
  using Ints = __m512i;
  using PairWeight = __m512i;
  KINGLET_INLINE Shorts zero_shorts() { return _mm512_setzero_si512(); }
  KINGLET_INLINE Ints zero_ints() { return _mm512_setzero_si512(); }
  KINGLET_INLINE __m512i load_bytes(const int8_t* from) { return _mm512_loadu_si512(from); }
  KINGLET_INLINE Shorts load_shorts(const int16_t* from) { return _mm512_load_si512(from); }
  KINGLET_INLINE Shorts any_shorts(const int16_t* from) { return _mm512_loadu_si512(from); }
  KINGLET_INLINE void store_shorts(int16_t* to, Shorts values) { _mm512_store_si512(to, values); }
  KINGLET_INLINE Ints load_ints(const int32_t* from) { return _mm512_load_si512(from); }
  KINGLET_INLINE Batch to_float(const int32_t* from) { return _mm512_cvtepi32_ps(load_ints(from)); }
  KINGLET_INLINE void store_ints(int32_t* to, Ints values) { _mm512_store_si512(to, values); }
  KINGLET_INLINE PairWeight pair_weight(const uint8_t* counts) {
    int16_t both = 0;
    std::memcpy(&both, counts, sizeof both);
    return _mm512_set1_epi16(both);
  }
  KINGLET_INLINE void add_pair(Shorts& first, Shorts& second, __m512i a, __m512i b, PairWeight weight) {
    first = _mm512_add_epi16(first, _mm512_maddubs_epi16(weight, _mm512_unpacklo_epi8(a, b)));
    second = _mm512_add_epi16(second, _mm512_maddubs_epi16(weight, _mm512_unpackhi_epi8(a, b)));
  }
  /// Unpacking works within quarters of 128 bits.
  KINGLET_INLINE void in_order(Shorts& first, Shorts& second) {
    const Shorts low = _mm512_permutex2var_epi64(first, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), second);
    second = _mm512_permutex2var_epi64(first, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), second);
    first = low;
  }
  KINGLET_INLINE Shorts widen_shorts(const int8_t* from) {
    return _mm512_cvtepi8_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(from)));
  }
  using WideWeight = __m512i;
  KINGLET_INLINE WideWeight wide_weight(int32_t a, int32_t b) {
    return _mm512_set1_epi32((a & 0xFFFF) | b * 0x1'0000);
  }
  KINGLET_INLINE void add_wide_pair(Ints& first, Ints& second, Shorts a, Shorts b, WideWeight weight) {
    first = _mm512_add_epi32(first, _mm512_madd_epi16(weight, _mm512_unpacklo_epi16(a, b)));
    second = _mm512_add_epi32(second, _mm512_madd_epi16(weight, _mm512_unpackhi_epi16(a, b)));
  }
  KINGLET_INLINE Shorts quad(const int16_t* from) {
    int64_t bits = 0;
    std::memcpy(&bits, from, sizeof bits);
    return _mm512_set1_epi64(bits);
  }
  KINGLET_INLINE Ints add_products(Ints sums, Shorts a, Shorts b) {
    return _mm512_add_epi32(sums, _mm512_madd_epi16(a, b));
  }
  KINGLET_INLINE __m256i round_to_shorts(Batch values) {
    return _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(values));
  }
  KINGLET_INLINE void round_to_shorts(Batch values, int16_t* to) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), round_to_shorts(values));
  }

  using Nibbles = __m512i;
  KINGLET_INLINE Nibbles zero_nibbles() { return _mm512_setzero_si512(); }
  KINGLET_INLINE Nibbles load_nibbles(const uint8_t* from) { return _mm512_loadu_si512(from); }
  KINGLET_INLINE void add_nibbles(Nibbles& low, Nibbles& high, Nibbles pairs) {
    const Nibbles mask = _mm512_set1_epi8(15);
    low = _mm512_add_epi8(low, _mm512_and_si512(pairs, mask));
    high = _mm512_add_epi8(high, _mm512_and_si512(_mm512_srli_epi16(pairs, 4), mask));
  }
  KINGLET_INLINE Shorts widen_lower(Nibbles bytes) {
    return _mm512_cvtepu8_epi16(_mm512_castsi512_si256(bytes));
  }
  KINGLET_INLINE Shorts widen_upper(Nibbles bytes) {
    return _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(bytes, 1));
  }
  KINGLET_INLINE Shorts add_shorts(Shorts a, Shorts b) { return _mm512_add_epi16(a, b); }
  KINGLET_INLINE Shorts all_shorts(int16_t value) { return _mm512_set1_epi16(value); }

  template <typename Words>
  KINGLET_INLINE Words parity(Words a, Words b, Words c) {
    return ternary<0x96>(a, b, c);
  }
  template <typename Words>
  KINGLET_INLINE Words majority(Words a, Words b, Words c) {
    return ternary<0xE8>(a, b, c);
  }
  template <typename Words>
  KINGLET_INLINE Words choose(Words mask, Words a, Words b) {
    return ternary<0xCA>(mask, a, b);
  }

 private:
  template <int kTable, typename Words>
  KINGLET_INLINE Words ternary(Words a, Words b, Words c) {
    return reinterpret_cast<Words>(_mm512_ternarylogic_epi64(
        reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b), reinterpret_cast<__m512i>(c), kTable));
  }
  KINGLET_INLINE __m256i load_half(const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
  }
};

/// f16 in vectors of 256 bits: AMD's CPUs convert 512 bits at little more than half the rate (Zen 4: weights
/// at 58 GB/s instead of 94), and where 512 bits are fast, 256 still outrun the memory.
using F16Kernels = simd::KernelsF32<Avx2>;

/// The lanes that `mask` names, as pairs of a unit's number and its 32 bits; returns how many they are.
KINGLET_INLINE size_t store_pairs(__mmask16 mask, size_t first, __m512i bits, void* to) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i numbers = _mm512_add_epi32(lanes, _mm512_set1_epi32(static_cast<int32_t>(first)));
  const __m512i rows = _mm512_maskz_compress_epi32(mask, numbers);
  const __m512i values = _mm512_maskz_compress_epi32(mask, bits);
  const __m512i lower = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i upper = _mm512_add_epi32(lower, _mm512_set1_epi32(8));
  auto* pairs = static_cast<int32_t*>(to);
  _mm512_storeu_si512(pairs, _mm512_permutex2var_epi32(rows, lower, values));
  _mm512_storeu_si512(pairs + 16, _mm512_permutex2var_epi32(rows, upper, values));
  return static_cast<size_t>(__builtin_popcount(mask));
}

inline size_t list_flips(const float* flips, size_t width, RowTerm* terms) {
  size_t count = 0;
  for (size_t o = 0; o < width; o += kLane) {
    const __m512 values = _mm512_load_ps(flips + o);
    const __mmask16 mask = _mm512_cmp_ps_mask(values, _mm512_setzero_ps(), _CMP_NEQ_UQ);
    count += store_pairs(mask, o, _mm512_castps_si512(values), terms + count);
  }
  return count;
}

inline size_t count_flips(const float* flips, size_t width, float factor, CountTerm* terms) {
  size_t count = 0;
  for (size_t o = 0; o < width; o += kLane) {
    const __m512 scaled = _mm512_mul_ps(_mm512_load_ps(flips + o), _mm512_set1_ps(factor));
    // As the scalar kernel does, 16 bits: of what a forged model's infinities become, too.
    const __m512i units = _mm512_and_si512(_mm512_cvtps_epi32(scaled), _mm512_set1_epi32(0xFFFF));
    count += store_pairs(_mm512_test_epi32_mask(units, units), o, units, terms + count);
  }
  return count;
}

/// Rows whose width is an odd number of groups end in half a vector.
inline void add_rows_s4(const uint8_t* rows, size_t stride, size_t width, const CountTerm* terms,
                        size_t count, size_t ahead, float scale, const float* output_scale, float* sum) {
  const size_t whole = width / (2 * kNibbleGroup) * (2 * kNibbleGroup);
  simd::KernelsS4<Avx512>::add_rows(rows, stride, whole, terms, count, ahead, scale, output_scale, sum);
  if (whole == width) return;
  simd::KernelsS4<Avx2>::add_rows(rows + whole / 2, stride, width - whole, terms, count, 0, scale,
                                  output_scale + whole, sum + whole);
}

/// The same for signs.
inline void count_signs(const uint8_t* rows, size_t stride, size_t width, const CountTerm* terms,
                        size_t count, size_t ahead, int32_t weight, int16_t* counts) {
  const size_t whole = width / (2 * kSignGroup) * (2 * kSignGroup);
  simd::KernelsS1<Avx512>::count_signs(rows, stride, whole, terms, count, ahead, weight, counts);
  if (whole == width) return;
  simd::KernelsS1<Avx2>::count_signs(rows + whole / 8, stride, width - whole, terms, count, 0, weight,
                                     counts + whole);
}

}  // namespace
}  // namespace kinglet::kernels
