#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

/// Sine, cosine, exponential and logarithm from additions and multiplications of doubles in one fixed order
/// (docs/numerics.md): no libm, no fused operation, no table, so that every CPU gives the same bits.
/// Branch-free, so that loops over several arguments vectorise.
namespace kinglet::features {

struct SinCos {
  double sin;
  double cos;
};

namespace detail {

// pi/2 = kHalfPi[0] + ... + [4]: four pieces of 16 bits, whose products with a 37-bit integer are exact, and
// the rest.
inline constexpr double kHalfPi[5] = {0x1.921ep+0, 0x1.b544p-16, 0x1.0b4p-34, 0x1.8468p-48,
                                      0x1.898cc51701b84p-64};
inline constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
inline constexpr double kRoundToInteger =
    0x1.8p+52;  // adding it leaves no bits below 1; the low bits hold the integer

inline void two_sum(double a, double b, double& sum, double& error) noexcept {
  sum = a + b;
  const double carried = sum - a;
  error = (a - (sum - carried)) + (b - carried);
}

// Taylor's coefficients: on |x| <= pi/4 the first term left out is below 2^-60 of the result.
inline double sin_tail(double z) noexcept {  // (sin(x) - x) / x^3, z = x^2
  double p = 1.0 / 355687428096000.0;
  p = p * z - 1.0 / 1307674368000.0;
  p = p * z + 1.0 / 6227020800.0;
  p = p * z - 1.0 / 39916800.0;
  p = p * z + 1.0 / 362880.0;
  p = p * z - 1.0 / 5040.0;
  p = p * z + 1.0 / 120.0;
  return p * z - 1.0 / 6.0;
}

inline double cos_tail(double z) noexcept {  // (cos(x) - 1 + x^2 / 2) / x^4, z = x^2
  double p = -1.0 / 6402373705728000.0;
  p = p * z + 1.0 / 20922789888000.0;
  p = p * z - 1.0 / 87178291200.0;
  p = p * z + 1.0 / 479001600.0;
  p = p * z - 1.0 / 3628800.0;
  p = p * z + 1.0 / 40320.0;
  p = p * z - 1.0 / 720.0;
  return p * z + 1.0 / 24.0;
}

}  // namespace detail

/// For |x| <= 2^37; within 1 unit in the last place of 1.
inline SinCos sin_cos(double x) noexcept {
  using namespace detail;
  // x = k * pi/2 + high + low, |high| <= pi/4 or so. The first three steps are exact: their results are
  // multiples of 2^-47 (or of x's last bit) that fit 53 bits.
  const double shifted = x * kTwoOverPi + kRoundToInteger;
  const double k = shifted - kRoundToInteger;
  const double exact = ((x - k * kHalfPi[0]) - k * kHalfPi[1]) - k * kHalfPi[2];
  double high = 0;
  double low = 0;
  two_sum(exact, -(k * kHalfPi[3]), high, low);
  double head = 0;
  double tail = 0;
  two_sum(high, low - k * kHalfPi[4], head, tail);

  const double z = head * head;
  const double half = 0.5 * z;
  const double one_minus = 1.0 - half;
  const double s = head + (head * z * sin_tail(z) + tail * one_minus);
  const double c = one_minus + (((1.0 - one_minus) - half) + (z * z * cos_tail(z) - head * tail));

  // Quadrant k mod 4: 0 (s, c), 1 (c, -s), 2 (-s, -c), 3 (-c, s).
  const uint64_t quadrant = std::bit_cast<uint64_t>(shifted);
  const bool swap = (quadrant & 1) != 0;
  const uint64_t sin_sign = (quadrant & 2) << 62;
  const uint64_t cos_sign = ((quadrant + 1) & 2) << 62;
  return {std::bit_cast<double>(std::bit_cast<uint64_t>(swap ? c : s) ^ sin_sign),
          std::bit_cast<double>(std::bit_cast<uint64_t>(swap ? s : c) ^ cos_sign)};
}

/// e^x for |x| <= 700, within 1 unit in the last place or so.
inline double exponential(double x) noexcept {
  constexpr double kLn2High = 0x1.62e42feep-1;  // 32 bits: k * kLn2High is exact
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  constexpr double kOverLn2 = 0x1.71547652b82fep+0;
  const double shifted = x * kOverLn2 + detail::kRoundToInteger;
  const double k = shifted - detail::kRoundToInteger;
  const double r = (x - k * kLn2High) - k * kLn2Low;
  // Taylor to the 14th power: on |r| <= ln(2)/2 the rest is below 2^-60.
  double p = 1.0 / 87178291200.0;
  p = p * r + 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * (r * r) + r + 1.0;
  const double scale = std::bit_cast<double>((static_cast<uint64_t>(static_cast<int64_t>(k)) + 1023) << 52);
  return p * scale;
}

/// log2(1 + x) for 0 <= x <= 2^60: exact where 1 + x is a power of two, else within 1.5 x 2^-52 of its value
/// and, from rounding 1 + x, 1.5 x 2^-53 beside.
inline double log2_1p(double x) noexcept {
  constexpr double kTwoOverLn2 = 0x1.71547652b82fep+1;
  constexpr double kSqrt2 = 0x1.6a09e667f3bcdp+0;
  const double y = 1.0 + x;
  const uint64_t bits = std::bit_cast<uint64_t>(y);
  double exponent = static_cast<double>(static_cast<int64_t>(bits >> 52) - 1023);
  double mantissa = std::bit_cast<double>((bits & 0x000f'ffff'ffff'ffffU) | 0x3ff0'0000'0000'0000U);
  const bool upper = mantissa > kSqrt2;  // mantissas from sqrt(1/2) to sqrt(2) keep the series short
  exponent += upper ? 1.0 : 0.0;
  mantissa *= upper ? 0.5 : 1.0;
  // ln(m) = 2 atanh(s): on |s| <= 0.1716 the first term left out is below 2^-60 of the sum.
  const double s = (mantissa - 1.0) / (mantissa + 1.0);
  const double z = s * s;
  double p = 1.0 / 23.0;
  p = p * z + 1.0 / 21.0;
  p = p * z + 1.0 / 19.0;
  p = p * z + 1.0 / 17.0;
  p = p * z + 1.0 / 15.0;
  p = p * z + 1.0 / 13.0;
  p = p * z + 1.0 / 11.0;
  p = p * z + 1.0 / 9.0;
  p = p * z + 1.0 / 7.0;
  p = p * z + 1.0 / 5.0;
  p = p * z + 1.0 / 3.0;
  return exponent + kTwoOverLn2 * (s + s * z * p);
}

/// 1 / (1 + e^-y), rounded to float once.
inline float sigmoid(float y) noexcept {
  double x = -static_cast<double>(y);
  // So that what is no number, of a forged model's weights, becomes one.
  x = x < 700.0 ? x : 700.0;
  x = x > -700.0 ? x : -700.0;
  return static_cast<float>(1.0 / (1.0 + exponential(x)));
}

}  // namespace kinglet::features
