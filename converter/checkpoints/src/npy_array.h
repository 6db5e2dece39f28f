#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kinglet/converter/tensors.h"
#include "kinglet/formats/error.h"

#include "src/npy_header.h"
#include "src/strided.h"

namespace kinglet::converter {

inline constexpr std::array kNpyMagic{std::byte{0x93}, std::byte{'N'}, std::byte{'U'},
                                      std::byte{'M'},  std::byte{'P'}, std::byte{'Y'}};

// Below, a Reader gives the bytes of one .npy array front to back: read(span) fills the span or throws Error,
// remaining() tells how many are left.

template <typename Number, typename Reader>
Number read_npy_number(Reader& reader) {
  Number number = 0;
  reader.read(std::as_writable_bytes(std::span(&number, 1)));
  return number;
}

template <typename Reader>
NpyHeader read_npy_header(Reader& reader, const std::string& name) {
  constexpr size_t kMaxHeader = size_t{1} << 16;
  std::array<std::byte, 8> start{};  // magic, version
  reader.read(std::span(start));
  if (!std::equal(kNpyMagic.begin(), kNpyMagic.end(), start.begin()))
    throw Error(name, "", "expected an .npy array");
  const auto major = std::to_integer<int>(start[6]);
  if (major < 1 || major > 3 || start[7] != std::byte{0})
    throw Error(name, "", "expected .npy version 1.0, 2.0 or 3.0");
  const size_t length = major == 1 ? read_npy_number<uint16_t>(reader) : read_npy_number<uint32_t>(reader);
  if (length > kMaxHeader)
    throw Error(name, "", "a header of more than " + std::to_string(kMaxHeader) + " bytes");
  std::string text(length, '\0');
  reader.read(std::as_writable_bytes(std::span(text)));
  return parse_npy_header(text, name);
}

// The elements come with the first dimension fastest: walked in reverse order of dimensions, each goes to the
// place that the row-major strides give it.
template <typename Reader>
void read_npy_column_major(Reader& reader, Tensor& tensor) {
  constexpr size_t kChunkElements = 4096;
  const size_t size = element_size(tensor.type);
  const size_t dimensions = tensor.shape.size();
  const std::vector<uint64_t> shape(tensor.shape.rbegin(), tensor.shape.rend());
  auto strides = row_major_strides(tensor.shape);
  std::reverse(strides.begin(), strides.begin() + static_cast<std::ptrdiff_t>(dimensions));
  StridedWalk walk(shape, std::span(strides).first(dimensions), 0);
  std::vector<std::byte> chunk(kChunkElements * size);
  while (reader.remaining() > 0) {
    const auto part = std::span(chunk).first(std::min<uint64_t>(chunk.size(), reader.remaining()));
    reader.read(part);
    for (size_t from = 0; from < part.size(); from += size, walk.next()) {
      std::memcpy(tensor.bytes.data() + walk.index() * size, part.data() + from, size);
    }
  }
}

/// One whole array: header and elements up to the reader's end. `name` stands for the array in errors.
template <typename Reader>
Tensor read_npy_array(Reader& reader, const std::string& name) {
  NpyHeader header = read_npy_header(reader, name);
  const auto bytes = tensor_bytes(header.type, header.shape);
  if (!bytes || *bytes != reader.remaining()) {
    throw Error(name, "",
                "expected exactly the bytes of its type and shape to follow the header, got " +
                    std::to_string(reader.remaining()));
  }
  Tensor tensor{header.type, std::move(header.shape), std::vector<std::byte>(*bytes)};
  if (header.column_major) {
    read_npy_column_major(reader, tensor);
  } else {
    reader.read(tensor.bytes);
  }
  return tensor;
}

}  // namespace kinglet::converter
