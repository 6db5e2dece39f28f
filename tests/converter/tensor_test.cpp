#include <bit>
#include <cmath>
#include <limits>

#include "kinglet/converter/tensors.h"

#include "converter/checkpoint_bytes.h"
#include "support/support.h"

namespace {

using namespace kinglet::converter;
using kinglet::test::tensor_of;

// A sixteen-bit floating number from its three fields, by the definition of the format.
double by_definition(uint32_t bits, int exponent_bits, int mantissa_bits) {
  const double sign = (bits >> 15) != 0 ? -1.0 : 1.0;
  const int largest = (1 << exponent_bits) - 1;
  const int exponent = static_cast<int>(bits >> mantissa_bits) & largest;
  const int bias = largest / 2;
  const double fraction = std::ldexp(static_cast<double>(bits & ((1U << mantissa_bits) - 1)), -mantissa_bits);
  if (exponent == largest)
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias);
  return sign * std::ldexp(1 + fraction, exponent - bias);
}

bool same_number(double a, double b) {
  return std::isnan(a) ? std::isnan(b) : std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

std::vector<uint16_t> every_16_bits() {
  std::vector<uint16_t> all(65'536);
  for (uint32_t bits = 0; bits < all.size(); ++bits) all[bits] = static_cast<uint16_t>(bits);
  return all;
}

void check_all(ElementType type, int exponent_bits, int mantissa_bits) {
  const Tensor tensor = tensor_of(type, {256, 256}, every_16_bits());
  const auto doubles = tensor.to_f64();
  const auto floats = tensor.to_f32();
  size_t wrong = 0;
  for (uint32_t bits = 0; bits < 65'536; ++bits) {
    const double expected = by_definition(bits, exponent_bits, mantissa_bits);
    if (!same_number(doubles[bits], expected) || !same_number(floats[bits], expected)) ++wrong;
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("every f16 and every bf16 widens to the number its fields define") {
  check_all(ElementType::f16, 5, 10);
  check_all(ElementType::bf16, 8, 7);
}

TEST_CASE("integers and booleans widen, and f32 rounds once") {
  CHECK(tensor_of<int8_t>(ElementType::i8, {2}, {-128, 127}).to_f64() == std::vector<double>{-128, 127});
  CHECK(tensor_of<uint8_t>(ElementType::u8, {1}, {255}).to_f64() == std::vector<double>{255});
  CHECK(tensor_of<int16_t>(ElementType::i16, {1}, {-32768}).to_f64() == std::vector<double>{-32768});
  CHECK(tensor_of<uint16_t>(ElementType::u16, {1}, {65535}).to_f64() == std::vector<double>{65535});
  CHECK(tensor_of<int32_t>(ElementType::i32, {1}, {-2147483647}).to_f64() ==
        std::vector<double>{-2147483647});
  CHECK(tensor_of<uint32_t>(ElementType::u32, {1}, {4294967295U}).to_f64() ==
        std::vector<double>{4294967295.0});
  CHECK(tensor_of<uint8_t>(ElementType::boolean, {3}, {0, 1, 2}).to_f64() == std::vector<double>{0, 1, 1});
  // By way of a double this would round to even twice and end at 2^53.
  CHECK(tensor_of<int64_t>(ElementType::i64, {1}, {(int64_t{1} << 53) + (1 << 29) + 1}).to_f32() ==
        std::vector<float>{0x1.000002p53F});
  CHECK(tensor_of<uint64_t>(ElementType::u64, {1}, {~uint64_t{0}}).to_f64() == std::vector<double>{0x1p64});
  CHECK(tensor_of<double>(ElementType::f64, {2}, {1e300, 0.1}).to_f32() ==
        std::vector<float>{std::numeric_limits<float>::infinity(), 0.1F});
}

TEST_CASE("a scalar has one element, an empty dimension none") {
  CHECK(Tensor{}.elements() == 1);
  CHECK(Tensor{ElementType::f32, {1'000'000'000'000, 0, 1'000'000'000'000}, {}}.elements() == 0);
  CHECK(Tensor{ElementType::f32, {3, 5}, {}}.elements() == 15);
}
