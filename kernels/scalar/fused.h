#pragma once

#include <bit>
#include <cstdint>

namespace kinglet::kernels {

/// fma(a, b, c) for finite floats, rounded once, without an fma instruction or libm.
/// a*b is exact in double (24 + 24 <= 53 bits). The sum is rounded to double *to odd* (an inexact result
/// takes the neighbour whose last bit is 1), after which rounding to float cannot round twice: double holds
/// 53 >= 2 * 24 + 2 bits (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums").
inline float fused_multiply_add(float a, float b, float c) noexcept {
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double addend = static_cast<double>(c);
  const double sum = product + addend;
  const double carried = sum - product;
  const double error = (product - (sum - carried)) + (addend - carried);  // sum + error is exact (2Sum)
  const uint64_t bits = std::bit_cast<uint64_t>(sum);
  // Towards the exact value: away from zero when the error has the sum's sign, else towards zero.
  const uint64_t outward = ((std::bit_cast<uint64_t>(error) ^ bits) >> 63) ^ 1;
  const uint64_t moved = bits + 2 * outward - 1;
  const bool to_odd = error != 0 && (bits & 1) == 0;
  return static_cast<float>(std::bit_cast<double>(to_odd ? moved : bits));
}

}  // namespace kinglet::kernels
