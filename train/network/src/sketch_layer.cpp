#include "sketch_layer.h"

#include <algorithm>
#include <array>

#include "clones.h"
#include "parallel.h"

namespace kinglet::train {
namespace {

using Lanes = float __attribute__((vector_size(32), may_alias));
constexpr size_t kVectors = kBlock / 8;
static_assert(kVectors == 4, "weighted_sum names its four accumulators");

/// out[kBlock] = sum over i of values[i] x table[places[i]][kBlock], in the order of i.
KINGLET_CLONES void weighted_sum(const float* table, const uint32_t* places, const float* values,
                                 size_t count, float* out) noexcept {
  Lanes sum0{};
  Lanes sum1{};
  Lanes sum2{};
  Lanes sum3{};
  for (size_t i = 0; i < count; ++i) {
    const auto* row = reinterpret_cast<const Lanes*>(table + size_t{places[i]} * kBlock);
    const float value = values[i];
    sum0 += value * row[0];
    sum1 += value * row[1];
    sum2 += value * row[2];
    sum3 += value * row[3];
  }
  auto* result = reinterpret_cast<Lanes*>(out);
  result[0] = sum0;
  result[1] = sum1;
  result[2] = sum2;
  result[3] = sum3;
}

}  // namespace

void SketchLayer::forward(const SketchBatch& sketch, const float* parameters, float* out) const {
  const size_t stride = layout_.columns();
  parallel_for(layout_.blocks(), [&](size_t block) {
    const float* weights = parameters + layout_.sketch_at(0, block * kBlock);
    for (size_t b = 0; b < sketch.rows(); ++b) {
      const size_t start = sketch.row_start[b];
      weighted_sum(weights, sketch.inputs.data() + start, sketch.values.data() + start,
                   sketch.row_start[b + 1] - start, out + b * stride + block * kBlock);
    }
  });
}

void SketchLayer::list_by_input(const SketchBatch& sketch) {
  input_start_.assign(layout_.shape().sketch + size_t{1}, 0);
  rows_.resize(sketch.inputs.size());
  values_.resize(sketch.inputs.size());
  for (const uint32_t input : sketch.inputs) ++input_start_[input + 1];
  for (size_t i = 1; i < input_start_.size(); ++i) input_start_[i] += input_start_[i - 1];
  for (size_t b = 0; b < sketch.rows(); ++b) {
    for (size_t i = sketch.row_start[b]; i < sketch.row_start[b + 1]; ++i) {
      const uint32_t place = input_start_[sketch.inputs[i]]++;
      rows_[place] = static_cast<uint32_t>(b);
      values_[place] = sketch.values[i];
    }
  }
  // Every start has moved to the next one's place.
  std::copy_backward(input_start_.begin(), input_start_.end() - 1, input_start_.end());
  input_start_[0] = 0;
}

void SketchLayer::backward(const SketchBatch& sketch, const float* gradient, GradientSink& sink) {
  constexpr size_t kInputs = 128;  // handed over at a time: 16 KiB
  list_by_input(sketch);
  const size_t inputs = layout_.shape().sketch;
  const size_t stride = layout_.columns();
  parallel_for(layout_.blocks(), [&](size_t block) {
    Buffer<float> columns(std::max<size_t>(sketch.rows(), 1) * kBlock);
    for (size_t b = 0; b < sketch.rows(); ++b) {
      std::copy_n(gradient + b * stride + block * kBlock, kBlock, columns.data() + b * kBlock);
    }
    alignas(64) std::array<float, kInputs * kBlock> part;
    for (size_t first = 0; first < inputs; first += kInputs) {
      const size_t count = std::min(kInputs, inputs - first);
      for (size_t i = 0; i < count; ++i) {
        const size_t start = input_start_[first + i];
        weighted_sum(columns.data(), rows_.data() + start, values_.data() + start,
                     input_start_[first + i + 1] - start, part.data() + i * kBlock);
      }
      sink.take(layout_.sketch_at(first, block * kBlock), part.data(), count * kBlock);
    }
  });
}

}  // namespace kinglet::train
