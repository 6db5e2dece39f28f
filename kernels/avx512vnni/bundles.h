#pragma once

#include "avx512vnni/sums.h"

namespace kinglet::kernels {
namespace {

/// A call's counts as bytes: each is 256 * high + low, both signed.
struct BundleCounts {
  alignas(kAlignment) int8_t low[kMaximumBundleRows];
  alignas(kAlignment) int8_t high[kMaximumBundleRows];
  int32_t total;
};

KINGLET_INLINE void find_bundle_counts(const int16_t* counts, size_t rows, BundleCounts& bytes) {
  bytes.total = 0;
  for (size_t r = 0; r < rows; ++r) {
    bytes.low[r] = static_cast<int8_t>(counts[r]);
    bytes.high[r] = static_cast<int8_t>((counts[r] - bytes.low[r]) >> 8);
    bytes.total += counts[r];
  }
}

/// 64 elements of a bundle, from `at` on, as VNNI takes them: unsigned, kOffset<Byte> more than they are.
template <typename Byte>
inline constexpr uint32_t kOffset = std::is_same_v<Byte, int8_t> ? 128 : kNibbleOffset;

KINGLET_INLINE __m512i bundle_elements(const int8_t* bundle, size_t at) {
  return _mm512_xor_si512(_mm512_load_si512(bundle + at), _mm512_set1_epi8(-128));
}
KINGLET_INLINE __m512i bundle_elements(const uint8_t* bundle, size_t at) {
  const __m256i pairs = _mm256_load_si256(reinterpret_cast<const __m256i*>(bundle + at / 2));
  const __m512i halves = _mm512_inserti64x4(_mm512_castsi256_si512(pairs), _mm256_srli_epi16(pairs, 4), 1);
  return _mm512_and_si512(halves, _mm512_set1_epi8(15));
}

/// `kPanels` panels side by side, from element `begin` of each bundle on.
template <size_t kPanels, typename Byte>
KINGLET_INLINE void bundle_tile(const Byte* bundles, size_t stride, size_t begin, size_t rows,
                                const uint32_t* active, const BundleCounts& counts, size_t count,
                                int32_t* sums) {
  constexpr size_t kVectors = kWidePanel * kQuad / 64;             // of a panel, for one quad of rows
  constexpr size_t kShare = std::is_same_v<Byte, int8_t> ? 1 : 2;  // elements a byte
  Sums low[kPanels][kVectors] = {};
  Sums high[kPanels][kVectors] = {};
  for (size_t a = 0; a < count; ++a) {
    const Byte* bundle = bundles + active[a] * stride;
    for (size_t k = 0; k < rows; k += kQuad) {
      const __m512i low_counts = broadcast(counts.low + a * rows + k);
      const __m512i high_counts = broadcast(counts.high + a * rows + k);
      for (size_t p = 0; p < kPanels; ++p) {
        const size_t at = begin + (p * rows + k) * kWidePanel;
        for (size_t v = 0; v < kVectors; ++v) {
          if (v % kShare == 0)
            __builtin_prefetch(bundle + (at + kPanels * rows * kWidePanel + 64 * v) / kShare);
          const __m512i w = bundle_elements(bundle, at + 64 * v);
          low[p][v] = add_products(low[p][v], w, low_counts);
          high[p][v] = add_products(high[p][v], w, high_counts);
        }
      }
    }
  }
  // 128 times the most counts leave 32 bits too.
  const uint32_t offsets = static_cast<uint32_t>(counts.total) * kOffset<Byte>;
  const __m512i added = _mm512_set1_epi32(static_cast<int32_t>(offsets));
  for (size_t p = 0; p < kPanels; ++p) {
    for (size_t v = 0; v < kVectors; ++v) {
      // The parts may leave 32 bits on the way; what is left of them at the end does not.
      const __m512i upper = _mm512_slli_epi32(ints(high[p][v]), 8);
      _mm512_store_si512(sums + p * kWidePanel + 16 * v,
                         _mm512_sub_epi32(_mm512_add_epi32(ints(low[p][v]), upper), added));
    }
  }
}

template <typename Byte>
void add_bundles(const Byte* bundles, size_t stride, size_t rows, size_t width, const uint32_t* active,
                 const int16_t* counts, size_t count, float scale, const float* output_scale, float* sum) {
  constexpr size_t kPanels = kByteLane / kWidePanel;
  BundleCounts bytes;
  find_bundle_counts(counts, count * rows, bytes);
  for (size_t begin = 0; begin < width; begin += kByteLane) {
    alignas(kAlignment) int32_t sums[kByteLane];
    bundle_tile<kPanels>(bundles, stride, begin * rows, rows, active, bytes, count, sums);
    S8::add_ints_to(sums, kByteLane, scale, output_scale + begin, sum + begin);
  }
}

}  // namespace
}  // namespace kinglet::kernels
