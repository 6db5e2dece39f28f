#pragma once

#include "avx512vnni/sums.h"

namespace kinglet::kernels {
namespace {

/// Rows of a call that count up to 15 bits, eight by eight; the last ones may count nothing. Those that count
/// more than 8 bits come first: all others are spared the upper ones.
struct CountedRows {
  static constexpr size_t kLimit = 512;
  static constexpr size_t kTogether = 2 * kQuad;
  const int8_t* rows[kLimit + kTogether];  // ends with rows to fetch, behind the last ones
  int8_t negative[kLimit];                 // all ones where a row counts less than not at all
  uint8_t low[kLimit];                     // the lower 8 bits of the count
  uint8_t high[kLimit];                    // and the upper 7
  size_t count;
  size_t wide;  // rows before the first eight without any upper bits
};

KINGLET_INLINE void find_rows(const int8_t* rows, size_t stride, const CountTerm* terms, size_t count,
                              CountedRows& counted) {
  constexpr size_t kTogether = CountedRows::kTogether;
  const auto magnitude = [](CountTerm term) { return term.count < 0 ? -term.count : term.count; };
  size_t wide = 0;
  for (size_t t = 0; t < count; ++t) wide += magnitude(terms[t]) > 0xFF ? 1 : 0;
  size_t wide_row = 0;
  size_t row = wide;
  for (size_t t = 0; t < count; ++t) {
    const int32_t counts = magnitude(terms[t]);
    const size_t is_wide = counts > 0xFF ? 1 : 0;
    const size_t r = is_wide != 0 ? wide_row : row;
    wide_row += is_wide;
    row += 1 - is_wide;
    counted.rows[r] = rows + terms[t].row * stride;
    counted.negative[r] = terms[t].count < 0 ? -1 : 0;
    counted.low[r] = static_cast<uint8_t>(counts);
    counted.high[r] = static_cast<uint8_t>(counts >> 8);
  }
  counted.count = (count + kTogether - 1) / kTogether * kTogether;
  counted.wide = (wide + kTogether - 1) / kTogether * kTogether;
  for (size_t r = count; r < counted.count; ++r) {
    counted.negative[r] = 0;
    counted.low[r] = counted.high[r] = 0;
  }
  const int8_t* last = rows + terms[count - 1].row * stride;
  for (size_t r = count; r < counted.count + kTogether; ++r) counted.rows[r] = last;
}

/// Four rows' products, 64 outputs from `at` on, which are interleaved for it, so that one instruction adds
/// up four of an output.
template <bool kSigned, bool kWide>
KINGLET_INLINE void add_quad(const CountedRows& counted, size_t r, size_t at, Sums (&low)[kQuad],
                             Sums (&high)[kQuad]) {
  __m512i row[kQuad];
  for (size_t k = 0; k < kQuad; ++k) {
    row[k] = _mm512_loadu_si512(counted.rows[r + k] + at);
    if constexpr (kSigned) {
      const __m512i sign = _mm512_set1_epi8(counted.negative[r + k]);
      row[k] = _mm512_sub_epi8(_mm512_xor_si512(row[k], sign), sign);
    }
  }
  const __m512i first_lower = _mm512_unpacklo_epi8(row[0], row[1]);
  const __m512i first_upper = _mm512_unpackhi_epi8(row[0], row[1]);
  const __m512i last_lower = _mm512_unpacklo_epi8(row[2], row[3]);
  const __m512i last_upper = _mm512_unpackhi_epi8(row[2], row[3]);
  const __m512i products[kQuad] = {
      _mm512_unpacklo_epi16(first_lower, last_lower), _mm512_unpackhi_epi16(first_lower, last_lower),
      _mm512_unpacklo_epi16(first_upper, last_upper), _mm512_unpackhi_epi16(first_upper, last_upper)};
  const __m512i low_counts = broadcast(counted.low + r);
  for (size_t k = 0; k < kQuad; ++k) low[k] = add_products(low[k], low_counts, products[k]);
  if constexpr (!kWide) return;
  const __m512i high_counts = broadcast(counted.high + r);
  for (size_t k = 0; k < kQuad; ++k) high[k] = add_products(high[k], high_counts, products[k]);
}

/// Sums of a block of outputs, in add_quad's order: eight rows at a time are added, as they lie, so that the
/// CPU fetches ahead in each, while the next eight are asked for.
struct BlockSums {
  static constexpr size_t kBlock = 2048;
  using Line = Sums[kQuad];  // of 64 outputs
  Line low[kBlock / kByteLane];
  Line high[kBlock / kByteLane];
};

template <bool kSigned, bool kWide, size_t kLines>
KINGLET_INLINE void add_lines(const CountedRows& counted, size_t r, size_t at, BlockSums& sums) {
  for (size_t k = 0; k < CountedRows::kTogether; ++k) {
    for (size_t l = 0; l < kLines; ++l)
      __builtin_prefetch(counted.rows[r + CountedRows::kTogether + k] + at + l * kByteLane);
  }
  BlockSums::Line* const low_sums = sums.low + at / kByteLane;
  BlockSums::Line* const high_sums = sums.high + at / kByteLane;
  BlockSums::Line low[kLines];
  BlockSums::Line high[kLines];
  std::memcpy(low, low_sums, sizeof low);
  if constexpr (kWide) std::memcpy(high, high_sums, sizeof high);
  for (size_t quad = r; quad < r + CountedRows::kTogether; quad += kQuad) {
    for (size_t l = 0; l < kLines; ++l)
      add_quad<kSigned, kWide>(counted, quad, at + l * kByteLane, low[l], high[l]);
  }
  std::memcpy(low_sums, low, sizeof low);
  if constexpr (kWide) std::memcpy(high_sums, high, sizeof high);
}

template <bool kSigned, bool kWide>
KINGLET_INLINE void add_together(const CountedRows& counted, size_t r, size_t outputs, BlockSums& sums) {
  constexpr size_t kLines = 2;
  size_t at = 0;
  for (; at + kLines * kByteLane <= outputs; at += kLines * kByteLane)
    add_lines<kSigned, kWide, kLines>(counted, r, at, sums);
  if (at < outputs) add_lines<kSigned, kWide, 1>(counted, r, at, sums);
}

/// 64 outputs' sums in order.
KINGLET_INLINE void finish_line(const BlockSums::Line& low, const BlockSums::Line& high, int32_t* sums) {
  // Quarter q of vector k holds outputs 16 q + 4 k to 16 q + 4 k + 3.
  __m512i sum[kQuad];
  for (size_t k = 0; k < kQuad; ++k)
    sum[k] = _mm512_add_epi32(ints(low[k]), _mm512_slli_epi32(ints(high[k]), 8));
  const __m512i even_lower = _mm512_shuffle_i32x4(sum[0], sum[1], 0x88);
  const __m512i odd_lower = _mm512_shuffle_i32x4(sum[0], sum[1], 0xDD);
  const __m512i even_upper = _mm512_shuffle_i32x4(sum[2], sum[3], 0x88);
  const __m512i odd_upper = _mm512_shuffle_i32x4(sum[2], sum[3], 0xDD);
  _mm512_store_si512(sums, _mm512_shuffle_i32x4(even_lower, even_upper, 0x88));
  _mm512_store_si512(sums + 16, _mm512_shuffle_i32x4(odd_lower, odd_upper, 0x88));
  _mm512_store_si512(sums + 32, _mm512_shuffle_i32x4(even_lower, even_upper, 0xDD));
  _mm512_store_si512(sums + 48, _mm512_shuffle_i32x4(odd_lower, odd_upper, 0xDD));
}

static_assert(S8::kWideCount == 0x7FFF);

/// Counts of up to 15 bits, in 32-bit sums.
template <bool kSigned>
KINGLET_INLINE void add_counted_rows(const int8_t* rows, size_t stride, size_t width, const CountTerm* terms,
                                     size_t count, float scale, const float* output_scale, float* sum) {
  CountedRows counted;
  BlockSums sums;
  for (size_t begin = 0; begin < width; begin += BlockSums::kBlock) {
    const size_t outputs = width - begin < BlockSums::kBlock ? width - begin : BlockSums::kBlock;
    std::memset(sums.low, 0, outputs * sizeof(int32_t));
    std::memset(sums.high, 0, outputs * sizeof(int32_t));
    for (size_t t = 0; t < count; t += CountedRows::kLimit) {
      const size_t left = count - t;
      find_rows(rows + begin, stride, terms + t, left < CountedRows::kLimit ? left : CountedRows::kLimit,
                counted);
      size_t r = 0;
      for (; r < counted.wide; r += CountedRows::kTogether)
        add_together<kSigned, true>(counted, r, outputs, sums);
      for (; r < counted.count; r += CountedRows::kTogether)
        add_together<kSigned, false>(counted, r, outputs, sums);
    }
    for (size_t at = 0; at < outputs; at += kByteLane) {
      alignas(kAlignment) int32_t line[kByteLane];
      finish_line(sums.low[at / kByteLane], sums.high[at / kByteLane], line);
      S8::add_ints_to(line, kByteLane, scale, output_scale + begin + at, sum + begin + at);
    }
  }
}

inline void add_rows_s8(const int8_t* rows, size_t stride, size_t width, const CountTerm* terms, size_t count,
                        size_t ahead, float scale, const float* output_scale, float* sum) {
  const S8::Width sums = S8::width_of(terms, count);
  if (sums == S8::Width::shorts)
    return S8::add_rows_short(rows, stride, width, terms, count, ahead, scale, output_scale, sum);
  if (sums == S8::Width::any)
    return S8::add_rows_long(rows, stride, width, terms, count, scale, output_scale, sum);
  bool any_negative = false;
  for (size_t t = 0; t < count; ++t) any_negative |= terms[t].count < 0;
  if (any_negative)
    return add_counted_rows<true>(rows, stride, width, terms, count, scale, output_scale, sum);
  add_counted_rows<false>(rows, stride, width, terms, count, scale, output_scale, sum);
}

}  // namespace
}  // namespace kinglet::kernels
