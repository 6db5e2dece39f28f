// Compiled with the flags of avx512.cpp and -mavx512vnni, this file alone. VNNI multiplies integers in dense
// layers of 8-bit weights: all other kernels are those of AVX-512.
#include "avx512.h"
#include "tables.h"

namespace kinglet::kernels {
namespace {

using F32 = simd::KernelsF32<Avx512>;
using S8 = simd::KernelsS8<Avx512>;

// VNNI multiplies unsigned by signed bytes. An activation q is taken apart as 128 * (high - 64) + low, both
// in [0, 128]; the 64 is taken off with the sum of the output's weights.
constexpr int kHighOffset = 64;

/// For each quad of inputs: their four low parts, then their four high parts.
float quantize(const float* in, size_t width, float limit, void* quantised) {
  auto* out = static_cast<int8_t*>(quantised);
  return S8::quantize_with(in, width, limit, [out](size_t i, Avx512::Batch values) {
    const __m256i q = Avx512::round_to_shorts(values);
    const __m256i low = _mm256_and_si256(q, _mm256_set1_epi16(127));
    const __m256i high = _mm256_add_epi16(_mm256_srai_epi16(q, 7), _mm256_set1_epi16(kHighOffset));
    const __m256i packed = _mm256_shuffle_epi32(_mm256_packus_epi16(low, high), _MM_SHUFFLE(3, 1, 2, 0));
    _mm256_store_si256(reinterpret_cast<__m256i*>(out + 2 * i), packed);
  });
}

KINGLET_INLINE __m512i broadcast(const int8_t* from) {
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

/// Rows of a call that count up to 14 bits, four by four; the last ones may count nothing.
struct QuadRows {
  static constexpr size_t kLimit = 512;
  static constexpr int32_t kLargest = (1 << 14) - 1;
  const int8_t* rows[kLimit];
  int8_t negative[kLimit];  // all ones where a row counts less than not at all
  int8_t low[kLimit];       // the lower and the upper 7 bits of the count
  int8_t high[kLimit];
  size_t count;
};

KINGLET_INLINE void find_quad_rows(const int8_t* rows, size_t stride, const CountTerm* terms, size_t count,
                                   QuadRows& quads) {
  quads.count = (count + kQuad - 1) / kQuad * kQuad;
  for (size_t r = 0; r < quads.count; ++r) {
    const CountTerm term = r < count ? terms[r] : CountTerm{terms[count - 1].row, 0};
    const int32_t magnitude = term.count < 0 ? -term.count : term.count;
    quads.rows[r] = rows + term.row * stride;
    quads.negative[r] = term.count < 0 ? -1 : 0;
    quads.low[r] = static_cast<int8_t>(magnitude & 127);
    quads.high[r] = static_cast<int8_t>(magnitude >> 7);
  }
}

/// The sums of 64 outputs, `at` bytes into the rows, to `sums`. Four rows are interleaved, so that one
/// instruction adds up four products an output. Meanwhile the lines behind are asked for.
template <bool kSigned>
KINGLET_INLINE void add_quad_rows(const QuadRows& quads, size_t at, int32_t* sums) {
  Sums low[kQuad] = {};
  Sums high[kQuad] = {};
  for (size_t r = 0; r < quads.count; r += kQuad) {
    __m512i row[kQuad];
    for (size_t k = 0; k < kQuad; ++k) {
      __builtin_prefetch(quads.rows[r + k] + at + 64);
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
    const __m512i high_counts = broadcast(quads.high + r);
    for (size_t k = 0; k < kQuad; ++k) {
      low[k] = add_products(low[k], low_counts, products[k]);
      high[k] = add_products(high[k], high_counts, products[k]);
    }
  }
  // Quarter q of vector k holds outputs 16 q + 4 k to 16 q + 4 k + 3.
  __m512i sum[kQuad];
  for (size_t k = 0; k < kQuad; ++k)
    sum[k] = _mm512_add_epi32(ints(low[k]), _mm512_slli_epi32(ints(high[k]), 7));
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

/// Counts of up to 14 bits, in 32-bit sums.
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
      for (size_t o = 0; o < outputs; o += kByteLane) add_quad_rows<kSigned>(quads, o, sums + o);
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

/// `kPanels` panels side by side.
template <size_t kPanels>
KINGLET_INLINE void gemv_tile(const int8_t* panels, size_t inputs, size_t begin, const int8_t* in,
                              float scale, const float* output_scale, const int32_t* weight_sums,
                              const float* bias, const Epilogue& epilogue, float* out) {
  constexpr size_t kVectors = kWidePanel * kQuad / 64;  // of a panel, for one quad of inputs
  Sums low[kPanels][kVectors] = {};
  Sums high[kPanels][kVectors] = {};
  for (size_t i = 0; i < inputs; i += kQuad) {
    const __m512i q_low = broadcast(in + 2 * i);
    const __m512i q_high = broadcast(in + 2 * i + kQuad);
    for (size_t p = 0; p < kPanels; ++p) {
      const int8_t* weights = panels + (p * inputs + i) * kWidePanel;
      for (size_t v = 0; v < kVectors; ++v) {
        const __m512i w = _mm512_load_si512(weights + 64 * v);
        low[p][v] = add_products(low[p][v], q_low, w);
        high[p][v] = add_products(high[p][v], q_high, w);
      }
    }
  }
  for (size_t p = 0; p < kPanels; ++p) {
    alignas(kAlignment) int32_t sums[kWidePanel];
    const size_t first = begin + p * kWidePanel;
    for (size_t v = 0; v < kVectors; ++v) {
      // The parts may leave 32 bits on the way; what is left of them at the end does not.
      const __m512i offset = _mm512_slli_epi32(_mm512_loadu_si512(weight_sums + first + 16 * v), 6);
      const __m512i upper = _mm512_slli_epi32(_mm512_sub_epi32(ints(high[p][v]), offset), 7);
      _mm512_store_si512(sums + 16 * v, _mm512_add_epi32(ints(low[p][v]), upper));
    }
    S8::finish_panel(sums, first, scale, output_scale, bias, epilogue, out);
  }
}

void gemv(const int8_t* panels, size_t inputs, size_t outputs, const void* quantised, float scale,
          const float* output_scale, const int32_t* weight_sums, const float* bias, const Epilogue& epilogue,
          float* out) {
  const auto* in = static_cast<const int8_t*>(quantised);
  size_t begin = 0;
  for (; begin + 2 * kWidePanel <= outputs; begin += 2 * kWidePanel) {
    gemv_tile<2>(panels + begin * inputs, inputs, begin, in, scale, output_scale, weight_sums, bias, epilogue,
                 out);
  }
  if (begin < outputs) {
    gemv_tile<1>(panels + begin * inputs, inputs, begin, in, scale, output_scale, weight_sums, bias, epilogue,
                 out);
  }
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
