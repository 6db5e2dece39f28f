#include "optimiser.h"

namespace kinglet::train {

Optimiser::Optimiser(Buffer<float>& parameters, const AdamWSettings& settings)
    : parameters_(parameters),
      settings_(settings),
      first_(parameters.size()),
      second_(parameters.size()),
      step_(settings, 0, 1) {}

void Optimiser::begin_step(double rate) {
  step_ = AdamWStep(settings_, rate, ++steps_);
}

void Optimiser::take(size_t offset, const float* gradient, size_t size) {
  adamw(step_, parameters_.data() + offset, first_.data() + offset, second_.data() + offset, gradient, size);
}

void Optimiser::expect(size_t offset, size_t size) noexcept {
  constexpr size_t kLine = 16;
  constexpr int kToWrite = 1;
  constexpr int kSecondLevel = 2;
  for (size_t i = offset; i < offset + size; i += kLine) {
    __builtin_prefetch(parameters_.data() + i, kToWrite, kSecondLevel);
    __builtin_prefetch(first_.data() + i, kToWrite, kSecondLevel);
    __builtin_prefetch(second_.data() + i, kToWrite, kSecondLevel);
  }
}

void Optimiser::restart() {
  first_.clear();
  second_.clear();
  steps_ = 0;
}

}  // namespace kinglet::train
