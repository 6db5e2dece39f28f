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

/// `kPanels` panels side by side. VNNI multiplies unsigned by signed bytes: rows are taken with 128 added,
/// and 128 times all counts are taken off.
template <size_t kPanels>
KINGLET_INLINE void bundle_tile(const int8_t* panels, size_t rows, size_t width, const uint32_t* active,
                                const BundleCounts& counts, size_t count, int32_t* sums) {
  constexpr size_t kVectors = kWidePanel * kQuad / 64;  // of a panel, for one quad of rows
  const __m512i offset = _mm512_set1_epi8(-128);
  Sums low[kPanels][kVectors] = {};
  Sums high[kPanels][kVectors] = {};
  for (size_t a = 0; a < count; ++a) {
    const int8_t* bundle = panels + active[a] * width * rows;
    for (size_t k = 0; k < rows; k += kQuad) {
      const __m512i low_counts = broadcast(counts.low + a * rows + k);
      const __m512i high_counts = broadcast(counts.high + a * rows + k);
      for (size_t p = 0; p < kPanels; ++p) {
        const int8_t* values = bundle + (p * rows + k) * kWidePanel;
        for (size_t v = 0; v < kVectors; ++v) {
          __builtin_prefetch(values + kPanels * rows * kWidePanel + 64 * v);
          const __m512i w = _mm512_xor_si512(_mm512_load_si512(values + 64 * v), offset);
          low[p][v] = add_products(low[p][v], w, low_counts);
          high[p][v] = add_products(high[p][v], w, high_counts);
        }
      }
    }
  }
  const __m512i added = _mm512_slli_epi32(_mm512_set1_epi32(counts.total), 7);
  for (size_t p = 0; p < kPanels; ++p) {
    for (size_t v = 0; v < kVectors; ++v) {
      // The parts may leave 32 bits on the way; what is left of them at the end does not.
      const __m512i upper = _mm512_slli_epi32(ints(high[p][v]), 8);
      _mm512_store_si512(sums + p * kWidePanel + 16 * v,
                         _mm512_sub_epi32(_mm512_add_epi32(ints(low[p][v]), upper), added));
    }
  }
}

inline void add_bundles_s8(const int8_t* bundles, size_t rows, size_t width, const uint32_t* active,
                           const int16_t* counts, size_t count, float scale, const float* output_scale,
                           float* sum) {
  constexpr size_t kPanels = kByteLane / kWidePanel;
  BundleCounts bytes;
  find_bundle_counts(counts, count * rows, bytes);
  for (size_t begin = 0; begin < width; begin += kByteLane) {
    alignas(kAlignment) int32_t sums[kByteLane];
    bundle_tile<kPanels>(bundles + begin * rows, rows, width, active, bytes, count, sums);
    S8::add_ints_to(sums, kByteLane, scale, output_scale + begin, sum + begin);
  }
}

}  // namespace
}  // namespace kinglet::kernels
