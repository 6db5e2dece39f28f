#pragma once

#include "support/small_model.h"

namespace kinglet::test {

struct PrecisionSignature {
  converter::Precision precision;
  uint64_t signature;
};

/// They change only with the documented arithmetic (docs/numerics.md), in a commit that says so.
inline constexpr PrecisionSignature kSignatures[] = {
    {converter::Precision::fp32, 0x4C73'1B52'12DD'40CC},  {converter::Precision::bf16, 0x4BF9'17B3'0E88'772A},
    {converter::Precision::fp16, 0x385A'1212'9685'DE0E},  {converter::Precision::int8, 0x22B5'98FC'0725'A66C},
    {converter::Precision::mixed, 0x44A5'85E3'7F66'0E01},
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
