// Compiled with the flags of avx512.cpp and -mavx512vnni, this file alone. VNNI multiplies integers in dense
// layers of 8-bit weights: all other kernels are those of AVX-512.
#include "avx512.h"
#include "tables.h"

namespace kinglet::kernels {
namespace {

using F32 = simd::KernelsF32<Avx512>;
using S8 = simd::KernelsS8<Avx512>;

// VNNI multiplies unsigned by signed bytes. An activation q is taken apart as 256 * high + low - 128, low in
// [0, 255]; the 128 is taken off with the sum of the output's weights. Where high parts are rare, quads of
// inputs that have some are listed: with their positive ones, and with minus their negative ones, for which
// weights are inverted, as -h * w = h * ~w + h. Else all are kept, 64 added to each.
constexpr int kLowOffset = 128;
constexpr int kHighOffset = 64;

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

float quantize(const float* in, size_t width, float limit, size_t wide_share, void* quantised) {
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

KINGLET_INLINE __m512i broadcast(const void* from) {
  int32_t bits = 0;
  std::memcpy(&bits, from, sizeof bits);
  return _mm512_set1_epi32(bits);
}

/// 32-bit sums, of the type that the instruction has for the compiler: where they are __m512i, of 64-bit
/// lanes, g++ 12 copies each of them twice in every turn of the loops below (llvm-mca, Ice Lake: 18.5 cycles
/// a turn of gemv_tile in place of 5).
using Sums __attribute__((vector_size(64))) = int32_t;
KINGLET_INLINE __m512i ints(Sums sums) {
  return reinterpret_cast<__m512i>(sums);
}
KINGLET_INLINE Sums add_products(Sums sums, __m512i unsigned_bytes, __m512i bytes) {
  return reinterpret_cast<Sums>(_mm512_dpbusd_epi32(ints(sums), unsigned_bytes, bytes));
}

/// Rows of a call that count up to 15 bits, four by four; the last ones may count nothing. Those that count
/// more than 8 bits come first: all others are spared the upper ones.
struct QuadRows {
  static constexpr size_t kLimit = 512;
  static constexpr size_t kAhead = 12;  // rows that are fetched before they are added
  static constexpr int32_t kLargest = (1 << 15) - 1;
  const int8_t* rows[kLimit + kAhead];
  int8_t negative[kLimit];  // all ones where a row counts less than not at all
  uint8_t low[kLimit];      // the lower 8 bits of the count
  uint8_t high[kLimit];     // and the upper 7
  size_t count;
  size_t wide;  // rows before the first four without any upper bits
};

KINGLET_INLINE void find_quad_rows(const int8_t* rows, size_t stride, const CountTerm* terms, size_t count,
                                   QuadRows& quads) {
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
    quads.rows[r] = rows + terms[t].row * stride;
    quads.negative[r] = terms[t].count < 0 ? -1 : 0;
    quads.low[r] = static_cast<uint8_t>(counts);
    quads.high[r] = static_cast<uint8_t>(counts >> 8);
  }
  quads.count = (count + kQuad - 1) / kQuad * kQuad;
  quads.wide = (wide + kQuad - 1) / kQuad * kQuad;
  for (size_t r = count; r < quads.count; ++r) {
    quads.negative[r] = 0;
    quads.low[r] = quads.high[r] = 0;
  }
  const int8_t* last = rows + terms[count - 1].row * stride;
  for (size_t r = count; r < quads.count + QuadRows::kAhead; ++r) quads.rows[r] = last;
}

/// Adds four rows' products, 64 outputs from `at` on, which are interleaved for it, so that one instruction
/// adds up four of an output.
template <bool kSigned, bool kWide>
KINGLET_INLINE void add_quad(const QuadRows& quads, size_t r, size_t at, Sums (&low)[kQuad],
                             Sums (&high)[kQuad]) {
  __m512i row[kQuad];
  for (size_t k = 0; k < kQuad; ++k) {
    row[k] = _mm512_loadu_si512(quads.rows[r + k] + at);
    if constexpr (kSigned) {
      const __m512i sign = _mm512_set1_epi8(quads.negative[r + k]);
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
  const __m512i low_counts = broadcast(quads.low + r);
  for (size_t k = 0; k < kQuad; ++k) low[k] = add_products(low[k], low_counts, products[k]);
  if constexpr (!kWide) return;
  const __m512i high_counts = broadcast(quads.high + r);
  for (size_t k = 0; k < kQuad; ++k) high[k] = add_products(high[k], high_counts, products[k]);
}

/// Adds up what add_quad has left of 64 outputs, to `sums`.
KINGLET_INLINE void finish_quads(const Sums (&low)[kQuad], const Sums (&high)[kQuad], int32_t* sums) {
  // Quarter q of vector k holds outputs 16 q + 4 k to 16 q + 4 k + 3.
  __m512i sum[kQuad];
  for (size_t k = 0; k < kQuad; ++k)
    sum[k] = _mm512_add_epi32(ints(low[k]), _mm512_slli_epi32(ints(high[k]), 8));
  const __m512i even_lower = _mm512_shuffle_i32x4(sum[0], sum[1], 0x88);
  const __m512i odd_lower = _mm512_shuffle_i32x4(sum[0], sum[1], 0xDD);
  const __m512i even_upper = _mm512_shuffle_i32x4(sum[2], sum[3], 0x88);
  const __m512i odd_upper = _mm512_shuffle_i32x4(sum[2], sum[3], 0xDD);
  const __m512i in_order[kQuad] = {
      _mm512_shuffle_i32x4(even_lower, even_upper, 0x88), _mm512_shuffle_i32x4(odd_lower, odd_upper, 0x88),
      _mm512_shuffle_i32x4(even_lower, even_upper, 0xDD), _mm512_shuffle_i32x4(odd_lower, odd_upper, 0xDD)};
  for (size_t k = 0; k < kQuad; ++k) {
    int32_t* const to = sums + 16 * k;
    _mm512_store_si512(to, _mm512_add_epi32(_mm512_load_si512(to), in_order[k]));
  }
}

/// The sums of `kLines` times 64 outputs, `at` bytes into the rows, to `sums`. Rows are often whole numbers
/// of 512 bytes apart, so that few of the first-level cache's sets hold all of their lines here: a few rows
/// ahead are fetched into it, and what lies behind in all rows into the second level alone.
template <bool kSigned, size_t kLines>
KINGLET_INLINE void add_quad_rows(const QuadRows& quads, size_t at, int32_t* sums) {
  Sums low[kLines][kQuad] = {};
  Sums high[kLines][kQuad] = {};
  const auto fetch = [&](size_t r) {
    for (size_t line = at; line < at + kLines * kByteLane; line += kByteLane) {
      for (size_t k = 0; k < kQuad; ++k) {
        __builtin_prefetch(quads.rows[r + QuadRows::kAhead + k] + line);
        __builtin_prefetch(quads.rows[r + k] + line + kLines * kByteLane, 0, 2);
      }
    }
  };
  size_t r = 0;
  for (; r < quads.wide; r += kQuad) {
    fetch(r);
    for (size_t l = 0; l < kLines; ++l)
      add_quad<kSigned, true>(quads, r, at + l * kByteLane, low[l], high[l]);
  }
  for (; r < quads.count; r += kQuad) {
    fetch(r);
    for (size_t l = 0; l < kLines; ++l)
      add_quad<kSigned, false>(quads, r, at + l * kByteLane, low[l], high[l]);
  }
  for (size_t l = 0; l < kLines; ++l) finish_quads(low[l], high[l], sums + l * kByteLane);
}

/// Counts of up to 15 bits, in 32-bit sums.
template <bool kSigned>
KINGLET_INLINE void add_rows_in_quads(const int8_t* rows, size_t stride, size_t width, const CountTerm* terms,
                                      size_t count, float scale, const float* output_scale, float* sum) {
  constexpr size_t kBlock = 4096;
  QuadRows quads;
  alignas(kAlignment) int32_t sums[kBlock];
  for (size_t begin = 0; begin < width; begin += kBlock) {
    const size_t outputs = width - begin < kBlock ? width - begin : kBlock;
    for (size_t o = 0; o < outputs; o += 16) _mm512_store_si512(sums + o, _mm512_setzero_si512());
    for (size_t t = 0; t < count; t += QuadRows::kLimit) {
      const size_t left = count - t;
      find_quad_rows(rows + begin, stride, terms + t, left < QuadRows::kLimit ? left : QuadRows::kLimit,
                     quads);
      size_t o = 0;
      for (; o + 2 * kByteLane <= outputs; o += 2 * kByteLane) add_quad_rows<kSigned, 2>(quads, o, sums + o);
      if (o < outputs) add_quad_rows<kSigned, 1>(quads, o, sums + o);
    }
    S8::add_ints_to(sums, outputs, scale, output_scale + begin, sum + begin);
  }
}

void add_rows_s8(const int8_t* rows, size_t stride, size_t width, const CountTerm* terms, size_t count,
                 size_t ahead, float scale, const float* output_scale, float* sum) {
  if (S8::width_of(terms, count) == S8::Width::shorts) {
    return S8::add_rows_short(rows, stride, width, terms, count, ahead, scale, output_scale, sum);
  }
  int32_t largest = 0;
  int32_t smallest = 0;
  for (size_t t = 0; t < count; ++t) {
    largest = terms[t].count > largest ? terms[t].count : largest;
    smallest = terms[t].count < smallest ? terms[t].count : smallest;
  }
  if (largest > QuadRows::kLargest || smallest < -QuadRows::kLargest)
    return S8::add_rows(rows, stride, width, terms, count, ahead, scale, output_scale, sum);
  if (smallest < 0)
    return add_rows_in_quads<true>(rows, stride, width, terms, count, scale, output_scale, sum);
  add_rows_in_quads<false>(rows, stride, width, terms, count, scale, output_scale, sum);
}

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

void add_bundles_s8(const int8_t* bundles, size_t rows, size_t width, const uint32_t* active,
                    const int16_t* counts, size_t count, float scale, const float* output_scale, float* sum) {
  constexpr size_t kPanels = kByteLane / kWidePanel;
  BundleCounts bytes;
  find_bundle_counts(counts, count * rows, bytes);
  for (size_t begin = 0; begin < width; begin += kByteLane) {
    alignas(kAlignment) int32_t sums[kByteLane];
    bundle_tile<kPanels>(bundles + begin * rows, rows, width, active, bytes, count, sums);
    S8::add_ints_to(sums, kByteLane, scale, output_scale + begin, sum + begin);
  }
}

/// Dense layers of several lanes whose high parts are rare. Weights are taken a part at a time, of as many
/// inputs as leave them in the first-level cache: once for the low parts of all lanes, then for each lane's
/// wide quads.
template <size_t kPanels, size_t kLanes>
struct Tile {
  static constexpr size_t kPartInputs = 512 / kPanels;
  static constexpr size_t kVectors = kPanels * kWidePanel * kQuad / 64;  // of weights, for one quad of inputs
  static constexpr size_t kPanelVectors = kVectors / kPanels;

  Sums low[kLanes][kVectors] = {};
  Sums high[kLanes][kVectors] = {};

  KINGLET_INLINE __m512i weights_at(const int8_t* panels, size_t inputs, size_t i, size_t v) {
    const size_t panel = v / kPanelVectors;
    return _mm512_load_si512(panels + (panel * inputs + i) * kWidePanel + v % kPanelVectors * 64);
  }

  [[gnu::always_inline]] void add_low(const int8_t* panels, size_t inputs, size_t begin, size_t end,
                                      const uint8_t* const* in) {
    Sums sums[kLanes][kVectors];
    std::memcpy(sums, low, sizeof sums);
    for (size_t i = begin; i < end; i += kQuad) {
      __m512i q[kLanes];
      for (size_t lane = 0; lane < kLanes; ++lane) q[lane] = broadcast(in[lane] + i);
      for (size_t v = 0; v < kVectors; ++v) {
        const __m512i w = weights_at(panels, inputs, i, v);
        for (size_t lane = 0; lane < kLanes; ++lane) sums[lane][v] = add_products(sums[lane][v], q[lane], w);
      }
    }
    std::memcpy(low, sums, sizeof sums);
  }

  /// Adds the wide quads before input `end`; returns the first behind.
  [[gnu::always_inline]] const WideQuad* add_high(const int8_t* panels, size_t inputs, size_t end,
                                                  size_t lane, const WideQuad* wide) {
    const size_t twice_end = 2 * (end / kQuad);
    Sums sums[kVectors];
    std::memcpy(sums, high[lane], sizeof sums);
    for (; wide->twice < twice_end; ++wide) {
      const __m512i parts = broadcast(wide->parts);
      const __m512i inverted = _mm512_set1_epi32(-static_cast<int32_t>(wide->twice & 1));
      for (size_t v = 0; v < kVectors; ++v) {
        const __m512i w = weights_at(panels, inputs, wide->twice / 2 * kQuad, v);
        sums[v] = add_products(sums[v], parts, _mm512_xor_si512(w, inverted));
      }
    }
    std::memcpy(high[lane], sums, sizeof sums);
    return wide;
  }

  [[gnu::always_inline]] void run(const int8_t* panels, size_t inputs, const DenseLane* lanes) {
    const uint8_t* in[kLanes];
    const WideQuad* wide[kLanes];
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const void* quantised = lanes[lane].in;
      in[lane] = parts_at(quantised, Quantised::kLowAt);
      wide[lane] = reinterpret_cast<const WideQuad*>(
          parts_at(quantised, static_cast<const Quantised*>(quantised)->list_at));
    }
    for (size_t begin = 0; begin < inputs; begin += kPartInputs) {
      const size_t end = inputs - begin < kPartInputs ? inputs : begin + kPartInputs;
      add_low(panels, inputs, begin, end, in);
      for (size_t lane = 0; lane < kLanes; ++lane)
        wide[lane] = add_high(panels, inputs, end, lane, wide[lane]);
    }
  }
};

template <size_t kPanels>
using TileSums = Sums[kPanels * kWidePanel / 16];

/// The last step of a lane's `kPanels` panels.
template <size_t kPanels>
KINGLET_INLINE void finish_tile(const TileSums<kPanels>& low, const TileSums<kPanels>& high, int high_offset,
                                size_t begin, const float* output_scale, const int32_t* weight_sums,
                                const float* bias, const DenseLane& lane) {
  const __m512i negative = _mm512_set1_epi32(static_cast<const Quantised*>(lane.in)->negative);
  alignas(kAlignment) int32_t sums[kPanels * kWidePanel];
  for (size_t v = 0; v < kPanels * kWidePanel / 16; ++v) {
    // The parts may leave 32 bits on the way; what is left of them at the end does not.
    const __m512i offsets = _mm512_set1_epi32(256 * high_offset + kLowOffset);
    const __m512i offset = _mm512_mullo_epi32(_mm512_loadu_si512(weight_sums + begin + 16 * v), offsets);
    const __m512i upper = _mm512_slli_epi32(_mm512_add_epi32(ints(high[v]), negative), 8);
    _mm512_store_si512(sums + 16 * v, _mm512_add_epi32(_mm512_sub_epi32(ints(low[v]), offset), upper));
  }
  for (size_t p = 0; p < kPanels; ++p)
    S8::finish_panel(sums + p * kWidePanel, begin + p * kWidePanel, output_scale, bias, lane);
}

/// Lanes whose high parts are rare.
template <size_t kPanels, size_t kLanes>
KINGLET_INLINE void gemv_tile(const int8_t* panels, size_t inputs, size_t begin, const float* output_scale,
                              const int32_t* weight_sums, const float* bias, const DenseLane* lanes) {
  Tile<kPanels, kLanes> tile;
  tile.run(panels + begin * inputs, inputs, lanes);
  for (size_t lane = 0; lane < kLanes; ++lane) {
    finish_tile<kPanels>(tile.low[lane], tile.high[lane], 0, begin, output_scale, weight_sums, bias,
                         lanes[lane]);
  }
}

/// Lanes with all their high parts.
template <size_t kPanels, size_t kLanes>
KINGLET_INLINE void gemv_wide_tile(const int8_t* panels, size_t inputs, size_t begin,
                                   const float* output_scale, const int32_t* weight_sums, const float* bias,
                                   const DenseLane* lanes) {
  using Weights = Tile<kPanels, kLanes>;
  TileSums<kPanels> low[kLanes] = {};
  TileSums<kPanels> high[kLanes] = {};
  const uint8_t* low_in[kLanes];
  const uint8_t* high_in[kLanes];
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const void* quantised = lanes[lane].in;
    low_in[lane] = parts_at(quantised, Quantised::kLowAt);
    high_in[lane] = parts_at(quantised, static_cast<const Quantised*>(quantised)->high_at);
  }
  for (size_t i = 0; i < inputs; i += kQuad) {
    __m512i q_low[kLanes];
    __m512i q_high[kLanes];
    for (size_t lane = 0; lane < kLanes; ++lane) {
      q_low[lane] = broadcast(low_in[lane] + i);
      q_high[lane] = broadcast(high_in[lane] + i);
    }
    for (size_t v = 0; v < Weights::kVectors; ++v) {
      const __m512i w = Weights::weights_at(panels + begin * inputs, inputs, i, v);
      for (size_t lane = 0; lane < kLanes; ++lane) {
        low[lane][v] = add_products(low[lane][v], q_low[lane], w);
        high[lane][v] = add_products(high[lane][v], q_high[lane], w);
      }
    }
  }
  for (size_t lane = 0; lane < kLanes; ++lane) {
    finish_tile<kPanels>(low[lane], high[lane], kHighOffset, begin, output_scale, weight_sums, bias,
                         lanes[lane]);
  }
}

template <size_t kPanels>
KINGLET_INLINE void gemv_lanes(const int8_t* panels, size_t inputs, size_t begin, const float* output_scale,
                               const int32_t* weight_sums, const float* bias, const DenseLane* lanes,
                               size_t count) {
  if (static_cast<const Quantised*>(lanes->in)->high_at != 0) {
    for (; count >= 2; count -= 2, lanes += 2)
      gemv_wide_tile<kPanels, 2>(panels, inputs, begin, output_scale, weight_sums, bias, lanes);
    if (count == 1) gemv_wide_tile<kPanels, 1>(panels, inputs, begin, output_scale, weight_sums, bias, lanes);
    return;
  }
  for (; count >= 4; count -= 4, lanes += 4)
    gemv_tile<kPanels, 4>(panels, inputs, begin, output_scale, weight_sums, bias, lanes);
  for (; count > 0; --count, ++lanes)
    gemv_tile<kPanels, 1>(panels, inputs, begin, output_scale, weight_sums, bias, lanes);
}

void gemv(const int8_t* panels, size_t inputs, size_t outputs, const float* output_scale,
          const int32_t* weight_sums, const float* bias, const DenseLane* lanes, size_t count) {
  if (count == 0) return;
  size_t begin = 0;
  // One lane is bound by memory, which four panels' streams use better than two; several by arithmetic.
  if (count == 1 && static_cast<const Quantised*>(lanes->in)->high_at == 0) {
    for (; begin + 4 * kWidePanel <= outputs; begin += 4 * kWidePanel)
      gemv_tile<4, 1>(panels, inputs, begin, output_scale, weight_sums, bias, lanes);
  }
  for (; begin + 2 * kWidePanel <= outputs; begin += 2 * kWidePanel)
    gemv_lanes<2>(panels, inputs, begin, output_scale, weight_sums, bias, lanes, count);
  if (begin < outputs) gemv_lanes<1>(panels, inputs, begin, output_scale, weight_sums, bias, lanes, count);
}

}  // namespace

const KernelTable avx512vnni_table = {Isa::avx512vnni,
                                      F32::add_rows<float>,
                                      F32::add_rows<Bf16>,
                                      F16Kernels::add_rows<F16>,
                                      S8::add_rows_s16,
                                      add_rows_s8,
                                      add_rows_s4,
                                      add_bundles_s8,
                                      F32::gemv<float>,
                                      F32::gemv<Bf16>,
                                      F16Kernels::gemv<F16>,
                                      quantize,
                                      gemv,
                                      F32::activate,
                                      F32::find_flips,
                                      list_flips,
                                      count_flips};

}  // namespace kinglet::kernels
