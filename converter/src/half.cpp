#include "half.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "kinglet/formats/error.h"

namespace kinglet::converter {
namespace {

/// The nearest multiple of a power of two that leaves `digits` binary digits, and not less than
/// 2^smallest_exponent (denormals). Exact but for the one rounding: all factors are powers of two.
double round_to_digits(double value, int digits, int smallest_exponent) {
  int exponent = 0;
  std::frexp(value, &exponent);
  const int unit = std::max(exponent - digits, smallest_exponent);
  return std::ldexp(std::nearbyint(std::ldexp(value, -unit)), unit);
}

}  // namespace

kernels::Bf16 to_bf16(double value, const std::string& tensor) {
  const auto rounded = static_cast<float>(round_to_digits(value, 8, -133));  // exact
  if (!std::isfinite(rounded)) throw Error("tensor " + tensor, "", "a folded value does not fit bf16");
  return {static_cast<uint16_t>(std::bit_cast<uint32_t>(rounded) >> 16)};
}

kernels::F16 to_f16(double value, const std::string& tensor) {
  constexpr double kLargest = 65'504;
  const double rounded = round_to_digits(value, 11, -24);
  const double magnitude = std::fabs(rounded);
  if (!(magnitude <= kLargest)) {
    throw Error("tensor " + tensor, "",
                "a folded value of " + std::to_string(value) +
                    " does not fit fp16, whose largest is 65504; --precision bf16 has the range of floats");
  }
  const uint32_t sign = std::signbit(rounded) ? 0x8000U : 0U;
  if (magnitude < 0x1p-14) return {static_cast<uint16_t>(sign | static_cast<uint32_t>(magnitude * 0x1p24))};
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(magnitude));  // exact
  constexpr uint32_t kBias = 127 - 15;
  return {static_cast<uint16_t>(sign | ((bits >> 13) - (kBias << 10)))};
}

}  // namespace kinglet::converter
