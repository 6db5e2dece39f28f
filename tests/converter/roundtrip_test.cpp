#include <functional>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "kinglet/formats/error.h"

#include "converter/checkpoint_bytes.h"
#include "support/checkpoint_writer.h"
#include "support/support.h"

namespace {

using namespace kinglet::converter;
using namespace kinglet::test;

using Writer = std::function<std::string(const TensorMap&)>;

// Any element bytes are allowed, NaNs of every kind included: readers copy, they do not convert.
Tensor any_tensor(const std::vector<ElementType>& types) {
  Tensor tensor;
  tensor.type = *rc::gen::elementOf(types);
  const size_t dimensions = *rc::gen::inRange<size_t>(0, 5);
  for (size_t i = 0; i < dimensions; ++i) tensor.shape.push_back(*rc::gen::inRange<uint64_t>(0, 6));
  const size_t bytes = tensor.elements() * element_size(tensor.type);
  for (const uint8_t byte : *rc::gen::container<std::vector<uint8_t>>(bytes, rc::gen::arbitrary<uint8_t>())) {
    tensor.bytes.push_back(std::byte{byte});
  }
  return tensor;
}

void check_survives(const std::vector<ElementType>& types, const Writer& write) {
  CHECK(rc::check([&] {
    TensorMap tensors;
    const size_t count = *rc::gen::inRange<size_t>(1, 6);
    for (size_t i = 0; i < count; ++i)
      tensors.emplace("layer" + std::to_string(i) + ".weight", any_tensor(types));
    RC_ASSERT(same(checkpoint_of(write(tensors)).tensors, tensors));
  }));
}

const std::vector<ElementType> kNpyTypes{ElementType::f16, ElementType::f32, ElementType::f64,
                                         ElementType::i8,  ElementType::u8,  ElementType::i16,
                                         ElementType::u16, ElementType::i32, ElementType::u32,
                                         ElementType::i64, ElementType::u64, ElementType::boolean};
const std::vector<ElementType> kTorchTypes{
    ElementType::f16, ElementType::bf16, ElementType::f32, ElementType::f64, ElementType::i8,
    ElementType::u8,  ElementType::i16,  ElementType::i32, ElementType::i64, ElementType::boolean};

std::vector<ElementType> safetensors_types() {
  std::vector<ElementType> types = kNpyTypes;
  types.push_back(ElementType::bf16);
  return types;
}

struct Format {
  const char* name;
  std::string bytes;
  bool checksummed;  // every byte that matters stands twice or under a checksum
};

std::vector<Format> small_files() {
  const TensorMap tensors = small_tensors();
  return {{"torch zip", torch_zip_bytes(tensors), true},
          {"deflated torch zip", torch_zip_bytes(tensors, {.method = ZipMethod::deflated}), true},
          {"torch zip64 checkpoint",
           torch_zip_bytes(tensors, {.key_prefix = "model.", .in_checkpoint = true, .zip64 = true}), true},
          {"npz", npz_bytes(tensors), true},
          {"deflated npz", npz_bytes(tensors, ZipMethod::deflated), true},
          {"safetensors", safetensors_bytes(tensors), false}};
}

}  // namespace

TEST_CASE("random tensors survive torch's zip format, stored, deflated and zip64") {
  check_survives(kTorchTypes, [](const TensorMap& tensors) { return torch_zip_bytes(tensors); });
  check_survives(kTorchTypes, [](const TensorMap& tensors) {
    return torch_zip_bytes(tensors, {.in_checkpoint = true, .zip64 = true, .method = ZipMethod::deflated});
  });
}

TEST_CASE("random tensors survive safetensors") {
  check_survives(safetensors_types(), safetensors_bytes);
}

TEST_CASE("what write_safetensors writes is read back, and the same tensors give the same bytes") {
  const TempDir dir;
  CHECK(rc::check([&] {
    TensorMap tensors;
    const size_t count = *rc::gen::inRange<size_t>(0, 4);
    for (size_t i = 0; i < count; ++i)
      tensors.emplace("layer" + std::to_string(i), any_tensor(safetensors_types()));
    kinglet::converter::write_safetensors(dir / "a", tensors);
    kinglet::converter::write_safetensors(dir / "b", tensors);
    RC_ASSERT(same(read_checkpoint(dir / "a").tensors, tensors));
    RC_ASSERT(read_file(dir / "a") == read_file(dir / "b"));
  }));
}

TEST_CASE("a bare .npy array is read whole or refused") {
  const std::string npy = npy_bytes("{'descr': '<i2', 'fortran_order': True, 'shape': (1, 2)}\n", "abcd");
  const auto read = [](std::string_view text) { return read_npy(exact_bytes(text), "a.npy"); };
  CHECK(is_npy(exact_bytes(npy)));
  CHECK_FALSE(is_npy(exact_bytes("NUMPY")));
  CHECK(read(npy).shape == std::vector<uint64_t>{1, 2});
  for (size_t length = 0; length < npy.size(); ++length) {
    CHECK_THROWS_AS(read(npy.substr(0, length)), kinglet::Error);
  }
  CHECK_THROWS_AS(read(npy + "x"), kinglet::Error);
}

TEST_CASE("random tensors survive npz, row- and column-major, stored and deflated") {
  for (const bool column_major : {false, true}) {
    for (const ZipMethod method : {ZipMethod::stored, ZipMethod::deflated}) {
      check_survives(kNpyTypes,
                     [&](const TensorMap& tensors) { return npz_bytes(tensors, method, column_major); });
    }
  }
}

TEST_CASE("a file cut short at any length is refused") {
  for (const Format& format : small_files()) {
    CAPTURE(format.name);
    REQUIRE(same(checkpoint_of(format.bytes).tensors, small_tensors()));
    for (size_t length = 0; length < format.bytes.size(); ++length) {
      CAPTURE(length);
      CHECK_THROWS_AS(checkpoint_of(format.bytes.substr(0, length)), kinglet::Error);
    }
  }
}

TEST_CASE("a byte changed anywhere is refused or changes no tensor, and without checksums it never crashes") {
  for (const Format& format : small_files()) {
    CAPTURE(format.name);
    size_t refused = 0;
    for (size_t offset = 0; offset < format.bytes.size(); ++offset) {
      for (const int change : {0x01, 0x80, 0xff}) {
        std::string bytes = format.bytes;
        bytes[offset] = static_cast<char>(bytes[offset] ^ change);
        try {
          const auto checkpoint = checkpoint_of(bytes);
          CAPTURE(offset);
          if (format.checksummed) CHECK(same(checkpoint.tensors, small_tensors()));
        } catch (const kinglet::Error&) {
          ++refused;
        }
      }
    }
    CHECK(refused > format.bytes.size());
  }
}
