#pragma once

#include <cstddef>
#include <span>

#include "kinglet/features/encoding.h"

namespace kinglet::features {

/// Fourier encoding of x (spec section 3): out[i] = sin(x * inverse_scales[i]), out[n + i] = cos of the same,
/// computed in double and rounded to float once. The scales are powers of two, so the products are exact; |x|
/// <= 2^36 and inverse scales up to 2.
void encode_fourier(double x, std::span<const double> inverse_scales, float* out) noexcept;

/// The same without the last rounding, for tests.
void encode_fourier_f64(double x, std::span<const double> inverse_scales, double* out) noexcept;

}  // namespace kinglet::features
