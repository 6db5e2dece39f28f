#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "batch.h"
#include "buffer.h"
#include "gradient_sink.h"
#include "parameters.h"

namespace kinglet::train {

/// The share of the plain inputs and the embeddings in the first layer. Most numeric features of a row are 0,
/// which the encoding makes 0s and 1s: each input is taken as its usual value, 0 or 1, which costs one
/// product for all rows, and a row's difference from it, which is 0 for whole groups of inputs.
class DenseLayer {
 public:
  explicit DenseLayer(const ParameterLayout& layout);

  /// out[row][column] += sum over the row's dense inputs; rows are layout.columns() apart. Keeps what
  /// backward() needs of the batch.
  void forward(const Batch& batch, const float* parameters, float* out);

  /// Hands the gradient of the weights to `sink`, given that of forward()'s output for the same batch.
  void backward(const float* gradient, GradientSink& sink);

 private:
  /// The rows of a group of kDenseGroup inputs that are not as usual.
  struct Group {
    std::vector<uint32_t> rows;
    std::vector<float> differences;  // [rows][kDenseGroup]
  };

  void find_usual(const Batch& batch);
  void list(const Batch& batch, size_t group);

  const ParameterLayout& layout_;
  size_t rows_ = 0;
  std::vector<float> usual_;  // of each input, padding included
  std::vector<Group> groups_;
};

}  // namespace kinglet::train
