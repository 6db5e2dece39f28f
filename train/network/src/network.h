#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "batch.h"
#include "buffer.h"
#include "dense_layer.h"
#include "gemm.h"
#include "gradient_sink.h"
#include "norm.h"
#include "parameters.h"
#include "shape.h"
#include "sketch_layer.h"

namespace kinglet::train {

/// The network of spec section 6 with its gradient, fp32, for batches of up to `maximum_rows` rows. All
/// memory is booked by the constructor. `flip_penalty` as in Settings. One thread at a time; works on
/// oneDNN's threads. The same batch, parameters and number of threads give the same bits.
class Network {
 public:
  Network(const NetworkShape& shape, size_t maximum_rows, double flip_penalty = 0);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  const ParameterLayout& layout() const noexcept { return layout_; }
  Buffer<float>& parameters() noexcept { return parameters_; }
  const Buffer<float>& parameters() const noexcept { return parameters_; }
  NormStatistics& statistics() noexcept { return statistics_; }
  const NormStatistics& statistics() const noexcept { return statistics_; }

  /// One training pass over a batch of at least 2 rows: returns the loss (mean over rows and outputs), moves
  /// the running statistics and hands every gradient to `sink`. If the loss is not finite it returns before
  /// any gradient.
  double train(Batch& batch, GradientSink& sink);

  /// Logits [rows][4] with the running statistics, valid until the next call.
  const float* infer(Batch& batch);

 private:
  enum class Mode { train, infer };
  struct Layer {
    Buffer<float> activated;  // before normalisation
    Buffer<float> out;
    Buffer<float> mean;
    Buffer<float> inverse_deviation;
  };

  const float* at(Slot s) const noexcept { return parameters_.data() + layout_.offset(s); }
  Matrix hidden(Buffer<float>& values, size_t rows) const noexcept;
  ConstMatrix weights(Slot s) const noexcept;
  NormLayer norm(size_t i) noexcept;
  void embed(Batch& batch) const noexcept;
  void forward(Batch& batch, Mode mode);
  void normalise(size_t i, const float* product, size_t stride, const Addend& addend, size_t rows, Mode mode);
  double loss(const Batch& batch);

  void backward(const Batch& batch, GradientSink& sink);
  void output_backward(size_t rows, GradientSink& sink);
  void norm_backward(size_t i, Buffer<float>& gradient, size_t rows, GradientSink& sink);
  void weight_gradient(Slot s, const ConstMatrix& input, const ConstMatrix& gradient, GradientSink& sink);
  void first_layer_backward(const Batch& batch, GradientSink& sink);
  void embedding_backward(const Batch& batch, GradientSink& sink);
  void hand_over(Slot s, size_t size, GradientSink& sink);

  double flip_penalty_;
  ParameterLayout layout_;
  Buffer<float> parameters_;
  NormStatistics statistics_;
  SketchLayer sketch_;
  DenseLayer dense_;
  Buffer<float> first_;  // [rows][columns]: products of l1 and projection; then their gradient
  std::array<Layer, kNorms> layers_;
  Buffer<float> product_;                // [rows][padded hidden]
  std::array<Buffer<float>, 3> deltas_;  // gradients of hidden values
  Buffer<float> logits_;                 // [rows][4]
  Buffer<float> logit_gradient_;
  Buffer<float> embedded_;           // [rows][embedded]: gradient of the embeddings
  Buffer<float> embedding_weights_;  // their rows of the dense weights, [embedded][columns]
  Buffer<float> gradient_;           // of a small slot
  Buffer<float> tiles_;              // of the gradient of a weight matrix, one a thread
};

}  // namespace kinglet::train
