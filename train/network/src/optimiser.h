#pragma once

#include <cstdint>

#include "adamw.h"
#include "buffer.h"
#include "gradient_sink.h"

namespace kinglet::train {

/// AdamW over one array of parameters, updated piece by piece as their gradients become known. Padding has
/// gradient 0 and stays 0.
class Optimiser final : public GradientSink {
 public:
  /// `parameters` must outlive the optimiser.
  Optimiser(Buffer<float>& parameters, const AdamWSettings& settings);

  /// Starts a step at this learning rate; then each parameter's gradient is taken once.
  void begin_step(double rate);
  void take(size_t offset, const float* gradient, size_t size) override;
  void expect(size_t offset, size_t size) noexcept override;
  /// Forgets moments and steps, as a new optimiser.
  void restart();

  uint64_t steps() const noexcept { return steps_; }
  /// For checkpoints: the whole state is the steps and both moments.
  void set_steps(uint64_t steps) noexcept { steps_ = steps; }
  Buffer<float>& first_moments() noexcept { return first_; }
  Buffer<float>& second_moments() noexcept { return second_; }

 private:
  Buffer<float>& parameters_;
  AdamWSettings settings_;
  Buffer<float> first_;
  Buffer<float> second_;
  AdamWStep step_;
  uint64_t steps_ = 0;
};

}  // namespace kinglet::train
