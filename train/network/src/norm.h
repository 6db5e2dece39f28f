#pragma once

#include <cstddef>

namespace kinglet::train {

/// One hidden layer's part after its matrix product: bias, addend, leaky ReLU (slope 0.01) and batch
/// normalisation (eps 1e-5, momentum 0.1, running variance unbiased), forward and backward. Rows are `stride`
/// floats apart unless said otherwise; columns are independent and summed over rows in row order in double,
/// so threads do not change bits.
struct NormLayer {
  const float* bias;
  const float* scale;
  const float* shift;
  float* running_mean;
  float* running_variance;
  float* mean;  // of this batch, kept for backward()
  float* inverse_deviation;
  size_t columns;
  size_t stride;
};

/// Added to a layer's product before the activation, with a bias of its own or without (null).
struct Addend {
  const float* values = nullptr;
  size_t stride = 0;
  const float* bias = nullptr;
};

/// activated = leaky(product + bias + addend), out = normalised(activated) by the batch's statistics, which
/// also move the running ones. At least 2 rows. `product` may have a stride of its own.
void norm_forward(const NormLayer& layer, const float* product, size_t product_stride, const Addend& addend,
                  float* activated, float* out, size_t rows);

/// The same with the running statistics, which stay as they are; `activated` is not kept.
void norm_infer(const NormLayer& layer, const float* product, size_t product_stride, const Addend& addend,
                float* out, size_t rows);

struct NormGradients {
  float* bias;  // also that of the addend's bias
  float* scale;
  float* shift;
};

/// From the gradient of the output to that of the product, in place; `gradients` are overwritten. With a
/// `flip_penalty` the loss has, for each row and column whose activation's argument z is below 0,
/// -z x inverse deviation x flip_penalty more; its gradient takes the deviation for a constant.
void norm_backward(const NormLayer& layer, const float* activated, float* gradient,
                   const NormGradients& gradients, size_t rows, double flip_penalty);

}  // namespace kinglet::train
