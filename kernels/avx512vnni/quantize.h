#pragma once

#include "avx512vnni/sums.h"

namespace kinglet::kernels {
namespace {

// VNNI multiplies unsigned by signed bytes. An activation q is taken apart as 256 * high + low - 128, low in
// [0, 255]; the 128 is taken off with the sum of the output's weights. Where high parts are rare, quads of
// inputs that have some are listed: with their positive ones, and with minus their negative ones, for which
// weights are inverted, as -h * w = h * ~w + h. Else all are kept, 64 added to each.
inline constexpr int kLowOffset = 128;
inline constexpr int kHighOffset = 64;

/// A quad of inputs with high parts of one sign.
struct WideQuad {
  uint32_t twice;  // its number, and 1 more for negative parts
  uint8_t parts[kQuad];
};

/// Quantised activations: this, the low parts from the next cache line on, and behind them the high parts, or
/// the list of wide quads, which ends with the number of a quad behind all.
struct Quantised {
  uint32_t high_at;  // or 0
  uint32_t list_at;
  int32_t negative;  // the listed negative parts' sum, without its sign

  static constexpr size_t kLowAt = kAlignment;
  static constexpr size_t kStored = 8;  // wide quads at a time
  static constexpr size_t bytes(size_t width) {
    return kLowAt + (width + kAlignment - 1) / kAlignment * kAlignment +
           (2 * (width / kQuad) + kStored + 1) * sizeof(WideQuad);
  }
};

static_assert(Quantised::bytes(16) <= quantised_bytes(16) &&
              Quantised::bytes(1 << 16) <= quantised_bytes(1 << 16));

KINGLET_INLINE const uint8_t* parts_at(const void* quantised, size_t at) {
  return static_cast<const uint8_t*>(quantised) + at;
}

/// Appends the wide ones of four quads.
KINGLET_INLINE size_t list_wide(__m512i positive, __m512i negative, size_t first, WideQuad* to) {
  const __m256i parts = _mm256_set_m128i(_mm512_cvtepi32_epi8(negative), _mm512_cvtepi32_epi8(positive));
  const __mmask8 mask = _mm256_test_epi32_mask(parts, parts);
  const __m256i numbers = _mm256_add_epi32(_mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7),
                                           _mm256_set1_epi32(static_cast<int32_t>(2 * first)));
  const __m512i quads = _mm512_cvtepu32_epi64(_mm256_maskz_compress_epi32(mask, numbers));
  const __m512i values = _mm512_cvtepu32_epi64(_mm256_maskz_compress_epi32(mask, parts));
  _mm512_storeu_si512(to, _mm512_or_si512(quads, _mm512_slli_epi64(values, 32)));
  return static_cast<size_t>(__builtin_popcount(mask));
}

inline float quantize(const float* in, size_t width, float limit, size_t wide_share, void* quantised) {
  auto* const bytes = static_cast<uint8_t*>(quantised);
  auto* const low = bytes + Quantised::kLowAt;
  auto* const behind = low + (width + kAlignment - 1) / kAlignment * kAlignment;
  auto* wide = reinterpret_cast<WideQuad*>(behind);
  const __m512i zero = _mm512_setzero_si512();
  __m512i negatives = zero;
  const float unit = S8::quantize_with(in, width, limit, wide_share, [&](size_t i, Avx512::Batch values) {
    const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(values), _mm512_set1_epi32(kLowOffset));
    _mm_store_si128(reinterpret_cast<__m128i*>(low + i), _mm512_cvtepi32_epi8(q));
    const __m512i high = _mm512_srai_epi32(q, 8);
    if (wide_share == 0) {
      const __m512i parts = _mm512_add_epi32(high, _mm512_set1_epi32(kHighOffset));
      _mm_store_si128(reinterpret_cast<__m128i*>(behind + i), _mm512_cvtepi32_epi8(parts));
    } else {
      const __m512i negative = _mm512_max_epi32(_mm512_sub_epi32(zero, high), zero);
      negatives = _mm512_add_epi32(negatives, negative);
      wide += list_wide(_mm512_max_epi32(high, zero), negative, i / kQuad, wide);
    }
  });
  if (wide_share != 0) wide->twice = UINT32_MAX;
  const auto behind_at = static_cast<uint32_t>(behind - bytes);
  *static_cast<Quantised*>(quantised) = {wide_share == 0 ? behind_at : 0, behind_at,
                                         _mm512_reduce_add_epi32(negatives)};
  return unit;
}

}  // namespace
}  // namespace kinglet::kernels
