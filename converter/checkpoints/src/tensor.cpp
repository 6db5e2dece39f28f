#include <bit>
#include <cstring>

#include "kinglet/converter/tensors.h"

#include "src/strided.h"

namespace kinglet::converter {
namespace {

// Formats narrower than float, widened without rounding. Their bits alone carry the value.
struct Half {
  uint16_t bits;
  operator float() const noexcept {
    const uint32_t sign = (bits & 0x8000U) << 16U;
    const uint32_t exponent = (bits >> 10U) & 0x1FU;
    const uint32_t mantissa = bits & 0x3FFU;
    if (exponent == 0) {  // zero or subnormal: mantissa x 2^-24
      const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
      return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
    }
    const uint32_t wide_exponent = exponent == 0x1F ? 0xFFU : exponent + (127 - 15);
    return std::bit_cast<float>(sign | wide_exponent << 23U | mantissa << 13U);
  }
};

struct Bfloat16 {
  uint16_t bits;
  operator float() const noexcept { return std::bit_cast<float>(uint32_t{bits} << 16U); }
};

struct Boolean {
  uint8_t bits;
  operator float() const noexcept { return bits != 0 ? 1.0F : 0.0F; }
};

template <typename Element, typename To>
std::vector<To> convert(std::span<const std::byte> bytes) {
  std::vector<To> converted(bytes.size() / sizeof(Element));
  for (size_t index = 0; index < converted.size(); ++index) {
    Element element;
    std::memcpy(&element, bytes.data() + index * sizeof(Element), sizeof(Element));
    converted[index] = static_cast<To>(element);
  }
  return converted;
}

template <typename To>
std::vector<To> convert(const Tensor& tensor) {
  switch (tensor.type) {
    case ElementType::f16:
      return convert<Half, To>(tensor.bytes);
    case ElementType::bf16:
      return convert<Bfloat16, To>(tensor.bytes);
    case ElementType::f32:
      return convert<float, To>(tensor.bytes);
    case ElementType::f64:
      return convert<double, To>(tensor.bytes);
    case ElementType::i8:
      return convert<int8_t, To>(tensor.bytes);
    case ElementType::u8:
      return convert<uint8_t, To>(tensor.bytes);
    case ElementType::i16:
      return convert<int16_t, To>(tensor.bytes);
    case ElementType::u16:
      return convert<uint16_t, To>(tensor.bytes);
    case ElementType::i32:
      return convert<int32_t, To>(tensor.bytes);
    case ElementType::u32:
      return convert<uint32_t, To>(tensor.bytes);
    case ElementType::i64:
      return convert<int64_t, To>(tensor.bytes);
    case ElementType::u64:
      return convert<uint64_t, To>(tensor.bytes);
    case ElementType::boolean:
      return convert<Boolean, To>(tensor.bytes);
  }
  return {};
}

}  // namespace

size_t element_size(ElementType type) noexcept {
  switch (type) {
    case ElementType::i8:
    case ElementType::u8:
    case ElementType::boolean:
      return 1;
    case ElementType::f16:
    case ElementType::bf16:
    case ElementType::i16:
    case ElementType::u16:
      return 2;
    case ElementType::f32:
    case ElementType::i32:
    case ElementType::u32:
      return 4;
    case ElementType::f64:
    case ElementType::i64:
    case ElementType::u64:
      return 8;
  }
  return 0;
}

const char* element_name(ElementType type) noexcept {
  switch (type) {
    case ElementType::f16:
      return "f16";
    case ElementType::bf16:
      return "bf16";
    case ElementType::f32:
      return "f32";
    case ElementType::f64:
      return "f64";
    case ElementType::i8:
      return "i8";
    case ElementType::u8:
      return "u8";
    case ElementType::i16:
      return "i16";
    case ElementType::u16:
      return "u16";
    case ElementType::i32:
      return "i32";
    case ElementType::u32:
      return "u32";
    case ElementType::i64:
      return "i64";
    case ElementType::u64:
      return "u64";
    case ElementType::boolean:
      return "boolean";
  }
  return "";
}

uint64_t Tensor::elements() const noexcept {
  return element_count(shape).value_or(0);
}
std::vector<double> Tensor::to_f64() const {
  return convert<double>(*this);
}
std::vector<float> Tensor::to_f32() const {
  return convert<float>(*this);
}

}  // namespace kinglet::converter
