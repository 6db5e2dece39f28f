#pragma once

#include <cmath>

namespace kinglet::codebook {

/// The natural logarithm of a positive, normal double, within 3 units in the last place where it is not near
/// 0 (absolutely within 2^-52 there). libm's may differ by its version and the CPU; this one is the same
/// everywhere.
inline double logarithm(double x) {
  constexpr double kLn2 = 0.693'147'180'559'945'309'4;
  constexpr double kSqrtHalf = 0.707'106'781'186'547'524'4;
  constexpr int kTerms = 11;
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);  // exact
  if (mantissa < kSqrtHalf) {
    mantissa *= 2;
    --exponent;
  }
  // log m = 2 atanh s, |s| < 0.172: the first term left out is below 2^-60 of the sum.
  const double s = (mantissa - 1) / (mantissa + 1);
  const double square = s * s;
  double sum = 0;
  for (int term = kTerms; term >= 0; --term) sum = sum * square + 1.0 / (2 * term + 1);
  return exponent * kLn2 + 2 * s * sum;
}

}  // namespace kinglet::codebook
