#include "adamw.h"

#include <cmath>

#include "clones.h"

namespace kinglet::train {

AdamWStep::AdamWStep(const AdamWSettings& settings, double rate, uint64_t step)
    : keep(static_cast<float>(1 - rate * settings.weight_decay)),
      beta1(static_cast<float>(settings.beta1)),
      new1(static_cast<float>(1 - settings.beta1)),
      beta2(static_cast<float>(settings.beta2)),
      new2(static_cast<float>(1 - settings.beta2)),
      step_size(static_cast<float>(rate / (1 - std::pow(settings.beta1, static_cast<double>(step))))),
      inverse_root2(
          static_cast<float>(1 / std::sqrt(1 - std::pow(settings.beta2, static_cast<double>(step))))),
      epsilon(static_cast<float>(settings.epsilon)) {}

KINGLET_CLONES void adamw(const AdamWStep& step, float* __restrict weights, float* __restrict first,
                          float* __restrict second, const float* __restrict gradient, size_t size) noexcept {
  const AdamWStep s = step;
  for (size_t i = 0; i < size; ++i) {
    const float g = gradient[i];
    const float m = first[i] * s.beta1 + s.new1 * g;
    const float v = second[i] * s.beta2 + s.new2 * g * g;
    first[i] = m;
    second[i] = v;
    weights[i] = weights[i] * s.keep - s.step_size * (m / (std::sqrt(v) * s.inverse_root2 + s.epsilon));
  }
}

}  // namespace kinglet::train
