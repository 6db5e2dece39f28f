#pragma once

#include <cstdint>
#include <vector>

#include "batch.h"
#include "gradient_sink.h"
#include "parameters.h"

namespace kinglet::train {

/// The sketch's share of the first layer. Only non-zero inputs cost anything: forward sums their rows of the
/// weights, backward the rows of the gradient in which an input is non-zero. Both go block of columns by
/// block of columns, forward also chunk of inputs by chunk, so that what is read again and again, the chunk's
/// weights or the block's gradient, fits the first-level cache; the next chunk's weights are asked for ahead.
class SketchLayer {
 public:
  explicit SketchLayer(const ParameterLayout& layout) : layout_(layout) {}

  /// out[row][column] = sum over the row's inputs; rows are layout.columns() apart.
  void forward(const SketchBatch& sketch, const float* parameters, float* out);

  /// Hands the gradient of the weights to `sink`, given that of forward()'s output for the same batch.
  void backward(const SketchBatch& sketch, const float* gradient, GradientSink& sink);

 private:
  static constexpr size_t kChunk = 256;  // inputs

  void list(const SketchBatch& sketch);
  void list_by_chunk(const SketchBatch& sketch, size_t first_row, size_t end_row);
  void list_by_input(const SketchBatch& sketch);

  const ParameterLayout& layout_;
  // The batch with each row's inputs sorted by their chunks, which begin at chunk_start_[row][chunks_ + 1].
  size_t chunks_ = 0;
  std::vector<uint32_t> chunk_start_;
  std::vector<uint32_t> chunk_inputs_;
  std::vector<float> chunk_values_;
  // The batch the other way round: for each input the rows in which it is non-zero, ascending.
  std::vector<uint32_t> input_start_;
  std::vector<uint32_t> rows_;
  std::vector<float> values_;
};

}  // namespace kinglet::train
