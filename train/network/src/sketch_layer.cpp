#include "sketch_layer.h"

#include <algorithm>
#include <array>

#include "clones.h"
#include "parallel.h"

namespace kinglet::train {
namespace {

using Lanes = float __attribute__((vector_size(64), may_alias));
constexpr size_t kVectors = kBlock / 16;
static_assert(kVectors == 2, "weighted_sum names its two accumulators");

/// out[kBlock] = start[kBlock] + sum over i of values[i] x table[places[i]][kBlock], in the order of i.
KINGLET_CLONES void weighted_sum(const float* table, const uint32_t* places, const float* values,
                                 size_t count, const float* start, float* out) noexcept {
  Lanes sum0 = reinterpret_cast<const Lanes*>(start)[0];
  Lanes sum1 = reinterpret_cast<const Lanes*>(start)[1];
  for (size_t i = 0; i < count; ++i) {
    const auto* row = reinterpret_cast<const Lanes*>(table + size_t{places[i]} * kBlock);
    sum0 += values[i] * row[0];
    sum1 += values[i] * row[1];
  }
  auto* result = reinterpret_cast<Lanes*>(out);
  result[0] = sum0;
  result[1] = sum1;
}

/// Asks for the `i`th of `count` parts of `size` floats.
void prefetch_part(const float* data, size_t size, size_t i, size_t count) noexcept {
  constexpr size_t kLine = 16;
  const size_t end = size * (i + 1) / count;
  for (size_t at = size * i / count / kLine * kLine; at < end; at += kLine) __builtin_prefetch(data + at);
}

}  // namespace

void SketchLayer::list(const SketchBatch& sketch) {
  constexpr size_t kRows = 16;  // a task's
  chunks_ = (layout_.shape().sketch + kChunk - 1) / kChunk;
  chunk_start_.resize(sketch.rows() * (chunks_ + 1));
  chunk_inputs_.resize(sketch.inputs.size());
  chunk_values_.resize(sketch.inputs.size());
  parallel_for(1 + (sketch.rows() + kRows - 1) / kRows, [&](size_t task) {
    if (task == 0) {
      list_by_input(sketch);
      return;
    }
    const size_t first = (task - 1) * kRows;
    list_by_chunk(sketch, first, std::min(sketch.rows(), first + kRows));
  });
}

void SketchLayer::list_by_chunk(const SketchBatch& sketch, size_t first, size_t end) {
  std::vector<uint32_t> next(chunks_);
  for (size_t b = first; b < end; ++b) {
    std::fill(next.begin(), next.end(), 0);
    for (size_t i = sketch.row_start[b]; i < sketch.row_start[b + 1]; ++i) ++next[sketch.inputs[i] / kChunk];
    uint32_t* start = chunk_start_.data() + b * (chunks_ + 1);
    start[0] = sketch.row_start[b];
    for (size_t c = 0; c < chunks_; ++c) start[c + 1] = start[c] + next[c];
    std::copy_n(start, chunks_, next.begin());
    for (size_t i = sketch.row_start[b]; i < sketch.row_start[b + 1]; ++i) {
      const uint32_t place = next[sketch.inputs[i] / kChunk]++;
      chunk_inputs_[place] = sketch.inputs[i];
      chunk_values_[place] = sketch.values[i];
    }
  }
}

void SketchLayer::forward(const SketchBatch& sketch, const float* parameters, float* out) {
  list(sketch);
  const size_t rows = sketch.rows();
  const size_t stride = layout_.columns();
  parallel_for(layout_.blocks(), [&](size_t block) {
    const float* weights = parameters + layout_.sketch_at(0, block * kBlock);
    Buffer<float> sums(rows * kBlock);
    for (size_t c = 0; c < chunks_; ++c) {
      const size_t next = (c + 1) * kChunk;
      const size_t inputs_left = layout_.shape().sketch - std::min<size_t>(next, layout_.shape().sketch);
      for (size_t b = 0; b < rows; ++b) {
        const uint32_t* start = chunk_start_.data() + b * (chunks_ + 1) + c;
        prefetch_part(weights + next * kBlock, std::min(inputs_left, kChunk) * kBlock, b, rows);
        float* sum = sums.data() + b * kBlock;
        weighted_sum(weights, chunk_inputs_.data() + start[0], chunk_values_.data() + start[0],
                     start[1] - start[0], sum, sum);
      }
    }
    for (size_t b = 0; b < rows; ++b) {
      std::copy_n(sums.data() + b * kBlock, kBlock, out + b * stride + block * kBlock);
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
  const size_t inputs = layout_.shape().sketch;
  const size_t stride = layout_.columns();
  parallel_for(layout_.blocks(), [&](size_t block) {
    Buffer<float> columns(std::max<size_t>(sketch.rows(), 1) * kBlock);
    for (size_t b = 0; b < sketch.rows(); ++b) {
      std::copy_n(gradient + b * stride + block * kBlock, kBlock, columns.data() + b * kBlock);
    }
    alignas(64) constexpr std::array<float, kBlock> kZeros{};
    alignas(64) std::array<float, kInputs * kBlock> part;
    for (size_t first = 0; first < inputs; first += kInputs) {
      const size_t count = std::min(kInputs, inputs - first);
      for (size_t i = 0; i < count; ++i) {
        const size_t start = input_start_[first + i];
        sink.expect(layout_.sketch_at(first + i, block * kBlock), kBlock);
        weighted_sum(columns.data(), rows_.data() + start, values_.data() + start,
                     input_start_[first + i + 1] - start, kZeros.data(), part.data() + i * kBlock);
      }
      sink.take(layout_.sketch_at(first, block * kBlock), part.data(), count * kBlock);
    }
  });
}

}  // namespace kinglet::train
