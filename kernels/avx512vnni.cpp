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

/// `kPanels` panels side by side.
template <size_t kPanels>
KINGLET_INLINE void gemv_tile(const int8_t* panels, size_t inputs, size_t begin, const int8_t* in,
                              float scale, const float* output_scale, const int32_t* weight_sums,
                              const float* bias, const Epilogue& epilogue, float* out) {
  constexpr size_t kVectors = kWidePanel * kQuad / 64;  // of a panel, for one quad of inputs
  __m512i low[kPanels][kVectors];
  __m512i high[kPanels][kVectors];
  for (size_t p = 0; p < kPanels; ++p) {
    for (size_t v = 0; v < kVectors; ++v) low[p][v] = high[p][v] = _mm512_setzero_si512();
  }
  for (size_t i = 0; i < inputs; i += kQuad) {
    const __m512i q_low = broadcast(in + 2 * i);
    const __m512i q_high = broadcast(in + 2 * i + kQuad);
    for (size_t p = 0; p < kPanels; ++p) {
      const int8_t* weights = panels + (p * inputs + i) * kWidePanel;
      for (size_t v = 0; v < kVectors; ++v) {
        const __m512i w = _mm512_load_si512(weights + 64 * v);
        low[p][v] = _mm512_dpbusd_epi32(low[p][v], q_low, w);
        high[p][v] = _mm512_dpbusd_epi32(high[p][v], q_high, w);
      }
    }
  }
  for (size_t p = 0; p < kPanels; ++p) {
    alignas(kAlignment) int32_t sums[kWidePanel];
    const size_t first = begin + p * kWidePanel;
    for (size_t v = 0; v < kVectors; ++v) {
      // The parts may leave 32 bits on the way; what is left of them at the end does not.
      const __m512i offset = _mm512_slli_epi32(_mm512_loadu_si512(weight_sums + first + 16 * v), 6);
      const __m512i upper = _mm512_slli_epi32(_mm512_sub_epi32(high[p][v], offset), 7);
      _mm512_store_si512(sums + 16 * v, _mm512_add_epi32(low[p][v], upper));
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
                                      F32::add_rows_s16,
                                      S8::add_rows,
                                      add_rows_s4,
                                      F32::gemv<float>,
                                      F32::gemv<Bf16>,
                                      F16Kernels::gemv<F16>,
                                      quantize,
                                      gemv,
                                      F32::activate};

}  // namespace kinglet::kernels
