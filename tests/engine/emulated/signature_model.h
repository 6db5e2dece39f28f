#pragma once

#include "support/small_model.h"

namespace kinglet::test {

struct PrecisionSignature {
  converter::Precision precision;
  uint64_t signature;
};

/// They change only with the documented arithmetic (docs/numerics.md), in a commit that says so.
inline constexpr PrecisionSignature kSignatures[] = {
    {converter::Precision::fp32, 0x4C73'1B52'12DD'40CC},  {converter::Precision::bf16, 0xDD72'55A3'A347'8E99},
    {converter::Precision::fp16, 0xCB0F'865E'7B00'1F18},  {converter::Precision::int8, 0x42A8'544B'A43A'9848},
    {converter::Precision::mixed, 0xDBF4'F625'E322'8194}, {converter::Precision::int4, 0x17CA'8F02'551F'000A},
};

inline std::string_view name_of(converter::Precision precision) {
  return converter::kPrecisionNames[static_cast<size_t>(precision)];
}

/// The fixed network whose signatures these are.
inline std::filesystem::path write_signature_model(const TempDir& dir, converter::Precision precision) {
  synthetic::NetworkOptions network;
  network.hidden = 33;
  network.depth = 5;
  network.width = 64;
  return write_model(dir, network, 500, precision);
}

}  // namespace kinglet::test
