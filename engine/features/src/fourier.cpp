#include "kinglet/features/fourier.h"

#include "kinglet/features/elementary.h"

namespace kinglet::features {

void encode_fourier_f64(double x, std::span<const double> inverse_scales, double* out) noexcept {
  const size_t scales = inverse_scales.size();
  for (size_t i = 0; i < scales; ++i) {
    const SinCos value = sin_cos(x * inverse_scales[i]);
    out[i] = value.sin;
    out[scales + i] = value.cos;
  }
}

void encode_fourier(double x, std::span<const double> inverse_scales, float* out) noexcept {
  double values[2 * kMaximumScales];
  encode_fourier_f64(x, inverse_scales, values);
  for (size_t i = 0; i < 2 * inverse_scales.size(); ++i) out[i] = static_cast<float>(values[i]);
}

}  // namespace kinglet::features
