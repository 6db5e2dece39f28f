// The specification: every other instruction set must reproduce these loops bit for bit.
#include <cmath>

#include "scalar/flips.h"
#include "scalar/fused.h"
#include "scalar/widen.h"
#include "tables.h"

namespace kinglet::kernels {
namespace {

template <typename Element>
void add_rows(const Element* rows, size_t stride, size_t width, const RowTerm* terms, size_t count,
              float scale, float* sum) {
  // Outputs are taken a block at a time so that a row's block is read once, in order; no output sees another.
  constexpr size_t kBlock = 64;
  for (size_t begin = 0; begin < width; begin += kBlock) {
    const size_t block = width - begin < kBlock ? width - begin : kBlock;
    float s[kBlock] = {};
    for (size_t t = 0; t < count; ++t) {
      const Element* row = rows + terms[t].row * stride + begin;
      for (size_t o = 0; o < block; ++o) s[o] = fused_multiply_add(terms[t].weight, widen(row[o]), s[o]);
    }
    for (size_t o = 0; o < block; ++o) sum[begin + o] = fused_multiply_add(scale, s[o], sum[begin + o]);
  }
}

void add_rows_s16(const int16_t* rows, size_t stride, size_t width, const RowTerm* terms, size_t count,
                  float scale, const float* output_scale, float* sum) {
  for (size_t o = 0; o < width; ++o) {
    float s = 0;
    for (size_t t = 0; t < count; ++t) {
      s = fused_multiply_add(terms[t].weight, rows[terms[t].row * stride + o], s);
    }
    sum[o] = fused_multiply_add(scale * output_scale[o], s, sum[o]);
  }
}

void add_rows_s8(const int8_t* rows, size_t stride, size_t width, const CountTerm* terms, size_t count,
                 size_t /*ahead*/, float scale, const float* output_scale, float* sum) {
  for (size_t o = 0; o < width; ++o) {
    int32_t s = 0;
    for (size_t t = 0; t < count; ++t) {
      s += terms[t].count * rows[terms[t].row * stride + o];
    }
    sum[o] = fused_multiply_add(scale * output_scale[o], static_cast<float>(s), sum[o]);
  }
}

int32_t nibble(const uint8_t* row, size_t o) {
  const uint8_t pair = row[o / kNibbleGroup * (kNibbleGroup / 2) + o % (kNibbleGroup / 2)];
  return (o % kNibbleGroup < kNibbleGroup / 2 ? pair & 15 : pair >> 4) - kNibbleOffset;
}

void add_rows_s4(const uint8_t* rows, size_t stride, size_t width, const CountTerm* terms, size_t count,
                 size_t /*ahead*/, float scale, const float* output_scale, float* sum) {
  for (size_t o = 0; o < width; ++o) {
    int32_t s = 0;
    for (size_t t = 0; t < count; ++t) {
      s += terms[t].count * nibble(rows + terms[t].row * (stride / 2), o);
    }
    sum[o] = fused_multiply_add(scale * output_scale[o], static_cast<float>(s), sum[o]);
  }
}

void count_signs(const uint8_t* rows, size_t stride, size_t width, const CountTerm* terms, size_t count,
                 size_t /*ahead*/, int32_t weight, int16_t* counts) {
  constexpr size_t kBytes = kSignGroup / 8;
  for (size_t o = 0; o < width; ++o) {
    int32_t s = 0;
    for (size_t t = 0; t < count; ++t) {
      const uint8_t* group = rows + terms[t].row * stride + o / kSignGroup * kBytes;
      s += terms[t].count * (group[o % kBytes] >> o % kSignGroup / kBytes & 1);
    }
    counts[o] = static_cast<int16_t>(counts[o] + weight * s);
  }
}

void add_signs(const int16_t* counts, size_t width, int32_t total, float scale, const float* output_scale,
               float* sum) {
  for (size_t o = 0; o < width; ++o) {
    const auto signs = static_cast<float>(2 * counts[o] - total);
    sum[o] = fused_multiply_add(scale * output_scale[o], signs, sum[o]);
  }
}

/// Where row k's element for output o lies in a bundle, in elements.
size_t bundle_place(size_t rows, size_t k, size_t o) {
  return o / kWidePanel * kWidePanel * rows + (k / kQuad * kWidePanel + o % kWidePanel) * kQuad + k % kQuad;
}

void add_bundles_s8(const int8_t* bundles, size_t stride, size_t rows, size_t width, const uint32_t* active,
                    const int16_t* counts, size_t count, float scale, const float* output_scale, float* sum) {
  for (size_t o = 0; o < width; ++o) {
    int32_t s = 0;
    for (size_t a = 0; a < count; ++a) {
      const int8_t* bundle = bundles + active[a] * stride;
      for (size_t k = 0; k < rows; ++k) s += counts[a * rows + k] * bundle[bundle_place(rows, k, o)];
    }
    sum[o] = fused_multiply_add(scale * output_scale[o], static_cast<float>(s), sum[o]);
  }
}

void add_bundles_s4(const uint8_t* bundles, size_t stride, size_t rows, size_t width, const uint32_t* active,
                    const int16_t* counts, size_t count, float scale, const float* output_scale, float* sum) {
  for (size_t o = 0; o < width; ++o) {
    int32_t s = 0;
    for (size_t a = 0; a < count; ++a) {
      const uint8_t* bundle = bundles + active[a] * stride;
      for (size_t k = 0; k < rows; ++k) s += counts[a * rows + k] * nibble(bundle, bundle_place(rows, k, o));
    }
    sum[o] = fused_multiply_add(scale * output_scale[o], static_cast<float>(s), sum[o]);
  }
}

float finish(float z, const Epilogue& epilogue, size_t o) {
  for (size_t a = 0; a < epilogue.addend_count; ++a) {
    const Addend& addend = epilogue.addends[a];
    const float value = addend.value[o];
    z += addend.scale != nullptr ? fused_multiply_add(addend.scale[o], value, addend.shift[o]) : value;
  }
  if (epilogue.leaky) z = z > 0 ? z : epilogue.slope * z;
  if (epilogue.scale != nullptr) z = fused_multiply_add(epilogue.scale[o], z, epilogue.shift[o]);
  return z;
}

template <typename Element>
void gemv_lane(const Element* panels, size_t panel, size_t inputs, size_t outputs, const float* bias,
               const DenseLane& lane) {
  const auto* in = static_cast<const float*>(lane.in);
  for (size_t begin = 0; begin < outputs; begin += panel) {
    float z[kWidePanel];
    for (size_t o = 0; o < panel; ++o) z[o] = bias[begin + o];
    for (size_t block = 0; block < inputs; block += kSumBlock) {
      const size_t end = inputs - block < kSumBlock ? inputs : block + kSumBlock;
      float s[kWidePanel] = {};
      for (size_t i = block; i < end; ++i, panels += panel) {
        for (size_t o = 0; o < panel; ++o) s[o] = fused_multiply_add(widen(panels[o]), in[i], s[o]);
      }
      for (size_t o = 0; o < panel; ++o) z[o] += s[o];
    }
    for (size_t o = 0; o < panel; ++o) lane.out[begin + o] = finish(z[o], lane.epilogue, begin + o);
  }
}

template <typename Element>
void gemv(const Element* panels, size_t panel, size_t inputs, size_t outputs, const float* bias,
          const DenseLane* lanes, size_t count) {
  for (size_t lane = 0; lane < count; ++lane) gemv_lane(panels, panel, inputs, outputs, bias, lanes[lane]);
}

/// L of the contract; `largest` is not too small.
float fitting_limit(const float* in, size_t width, float largest, float limit, size_t wide_share) {
  if (wide_share == 0) return limit;
  const auto fits = [&](float parts) {
    size_t wide = 0;
    for (size_t i = 0; i < width; ++i) wide += std::fabs(in[i]) > largest / parts ? 1 : 0;
    return wide <= width / wide_share;
  };
  float parts = 64;
  float power = 32;
  while (parts > 1 && !fits(parts)) {
    if (parts == power) power /= 2;
    parts -= power / 4;
  }
  return 127 * parts < limit ? 127 * parts : limit;
}

float quantize(const float* in, size_t width, float limit, size_t wide_share, void* quantised) {
  constexpr float kRound = 0x1.8p23F;  // adding it leaves no bits below 1
  float largest = 0;
  for (size_t i = 0; i < width; ++i) largest = std::fabs(in[i]) > largest ? std::fabs(in[i]) : largest;
  const bool none = largest < kSmallestActivation;
  const float units = none ? 0.0F : fitting_limit(in, width, largest, limit, wide_share);
  const float factor = none ? 0.0F : units / largest;
  auto* out = static_cast<int16_t*>(quantised);
  for (size_t i = 0; i < width; ++i) out[i] = static_cast<int16_t>((in[i] * factor + kRound) - kRound);
  return none ? 0.0F : largest / units;
}

void gemv_s8(const int8_t* panels, size_t inputs, size_t outputs, const float* output_scale,
             const int32_t* /*weight_sums*/, const float* bias, const DenseLane* lanes, size_t count) {
  for (size_t lane = 0; lane < count; ++lane) {
    const auto [quantised, scale, epilogue, out] = lanes[lane];
    const auto* in = static_cast<const int16_t*>(quantised);
    for (size_t o = 0; o < outputs; ++o) {
      const int8_t* weights = panels + o / kWidePanel * kWidePanel * inputs + o % kWidePanel * kQuad;
      int32_t s = 0;
      for (size_t i = 0; i < inputs; i += kQuad, weights += kWidePanel * kQuad) {
        for (size_t k = 0; k < kQuad; ++k) s += weights[k] * in[i + k];
      }
      const float z = fused_multiply_add(scale * output_scale[o], static_cast<float>(s), bias[o]);
      out[o] = finish(z, epilogue, o);
    }
  }
}

void activate_f32(const float* in, size_t width, const Epilogue& epilogue, float* out) {
  for (size_t o = 0; o < width; ++o) out[o] = finish(in[o], epilogue, o);
}

float find_flips(const float* scale, const float* in, size_t width, float* out) {
  float largest = 0;
  for (size_t o = 0; o < width; ++o) {
    const float product = scale[o] * in[o];
    out[o] = product > 0 ? product : 0.0F;
    largest = out[o] > largest ? out[o] : largest;
  }
  return largest;
}

}  // namespace

const KernelTable scalar_table = {
    Isa::scalar, add_rows<float>, add_rows<Bf16>, add_rows<F16>,  add_rows_s16, add_rows_s8, add_rows_s4,
    count_signs, add_signs,       add_bundles_s8, add_bundles_s4, gemv<float>,  gemv<Bf16>,  gemv<F16>,
    quantize,    gemv_s8,         activate_f32,   find_flips,     list_flips,   count_flips};

}  // namespace kinglet::kernels
