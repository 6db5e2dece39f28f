#pragma once

#include <cstddef>
#include <cstdint>

namespace kinglet::train {

/// AdamW's settings (spec section 7).
struct AdamWSettings {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
};

/// One step's constants. Steps count from 1.
struct AdamWStep {
  AdamWStep(const AdamWSettings& settings, double rate, uint64_t step);
  float keep;  // 1 - rate x weight decay
  float beta1;
  float new1;  // 1 - beta1
  float beta2;
  float new2;
  float step_size;      // rate / (1 - beta1^step)
  float inverse_root2;  // 1 / sqrt(1 - beta2^step)
  float epsilon;
};

/// Decay, both moments and the weights of `size` parameters in one pass over memory.
void adamw(const AdamWStep& step, float* weights, float* first, float* second, const float* gradient,
           size_t size) noexcept;

}  // namespace kinglet::train
