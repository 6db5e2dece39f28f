#pragma once

#include "support/small_world.h"

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

/// Of the same network with the mean of token vectors in place of the sketch, in fp32.
inline constexpr uint64_t kMeanSignature = 0x8BDF'0E87'3304'DD05;

/// Of models with hidden layers folded, frequent numbers in rows of their own; of the first requests alone.
inline constexpr int kSkeletonRequests = 1'000;
struct SkeletonSignature {
  converter::Precision precision;
  uint32_t layers;
  uint32_t side_bits;  // of int4's sketch where layers are folded; 0: other precisions have none
  uint64_t signature;
};
inline constexpr SkeletonSignature kSkeletonSignatures[] = {
    {converter::Precision::fp32, 1, 0, 0xDEB3'86E7'166B'CB06},
    {converter::Precision::fp32, 2, 0, 0x6D6B'8F70'70ED'D56F},
    {converter::Precision::fp32, 3, 0, 0xA0D7'7B0E'5CA5'876B},
    {converter::Precision::int8, 1, 0, 0x9595'CF26'A792'629A},
    {converter::Precision::int8, 2, 0, 0x453B'A50D'33F7'D9F5},
    {converter::Precision::int8, 3, 0, 0xEE8E'25D4'61D9'2599},
    {converter::Precision::int4, 1, 4, 0xDA89'45E3'C770'06D3},
    {converter::Precision::int4, 2, 4, 0x18C1'FE33'CC91'02B1},
    {converter::Precision::int4, 3, 4, 0xE717'E785'94E9'0A3C},
    {converter::Precision::int4, 2, 1, 0x2BB0'C1A6'2A10'77F3},
    {converter::Precision::int4, 3, 1, 0x5379'BEDC'D87A'1F8B},
};

inline std::string name_of(const SkeletonSignature& skeleton) {
  return std::string(name_of(skeleton.precision)) + ", " + std::to_string(skeleton.layers) + " folded" +
         (skeleton.side_bits == 1 ? ", signs" : "");
}

/// The fixed networks whose signatures these are.
inline synthetic::NetworkOptions signature_network(uint32_t hidden) {
  synthetic::NetworkOptions network;
  network.hidden = hidden;
  network.depth = 5;
  network.width = 64;
  return network;
}

inline std::filesystem::path write_signature_model(const TempDir& dir, converter::Precision precision) {
  return write_model(dir, signature_network(33), 500, precision);
}

inline std::filesystem::path write_signature_model(const TempDir& dir, const SkeletonSignature& skeleton) {
  const SmallWorld world(dir, 200);
  synthetic::NetworkOptions network = signature_network(70);
  network.depth = 40;  // most of what a tweet adds is text: int8's other rows are of 8 bits then, too
  network.width = 8;
  return write_skeleton_model(dir, world, network, 3'000, skeleton.precision, skeleton.layers,
                              skeleton.side_bits == 0 ? std::nullopt : std::optional(skeleton.side_bits));
}

inline std::filesystem::path write_mean_signature_model(const TempDir& dir) {
  return write_mean_model(dir, signature_network(33), 500);
}

}  // namespace kinglet::test
