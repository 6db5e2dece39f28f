#include "kinglet/features/encoding.h"

#include <algorithm>
#include <cmath>

#include "kinglet/features/elementary.h"
#include "kinglet/features/fourier.h"

namespace kinglet::features {
namespace {

constexpr double kOctavesPerUnit = 8;

void encode_log_steps(double x, const std::vector<double>& steps, float* out) noexcept {
  const double sign = x < 0 ? -1.0 : 1.0;
  const double octaves = log2_1p(std::fabs(x));
  for (size_t i = 0; i < steps.size(); ++i) {
    out[i] = static_cast<float>(sign * std::min(std::max(octaves - steps[i], 0.0), 1.0));
  }
  out[steps.size()] = static_cast<float>(sign * (octaves / kOctavesPerUnit));
}

}  // namespace

void Encoding::encode(double x, float* out) const noexcept {
  switch (kind) {
    case EncodingKind::fourier:
      return encode_fourier(x, parameters, out);
    case EncodingKind::log_steps:
      return encode_log_steps(x, parameters, out);
  }
}

Encoding Encoding::fourier() {
  return {EncodingKind::fourier, {2, 1, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625}};
}

Encoding Encoding::log_steps() {
  return {EncodingKind::log_steps, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}};
}

}  // namespace kinglet::features
