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
    {converter::Precision::mixed, 0xDBF4'F625'E322'8194},
};

inline std::string_view name_of(converter::Precision precision) {
  return converter::kPrecisionNames[static_cast<size_t>(precision)];
}

/// Of the same network with the mean of token vectors in place of the sketch, in fp32.
inline constexpr uint64_t kMeanSignature = 0x8BDF'0E87'3304'DD05;

/// The fixed network whose signatures these are.
inline synthetic::NetworkOptions signature_network() {
  synthetic::NetworkOptions network;
  network.hidden = 33;
  network.depth = 5;
  network.width = 64;
  return network;
}
inline std::filesystem::path write_signature_model(const TempDir& dir, converter::Precision precision) {
  return write_model(dir, signature_network(), 500, precision);
}
inline std::filesystem::path write_mean_signature_model(const TempDir& dir) {
  return write_mean_model(dir, signature_network(), 500);
}

}  // namespace kinglet::test
