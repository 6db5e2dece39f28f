#include "src/npz.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "kinglet/formats/error.h"

#include "src/limits.h"
#include "src/npy_header.h"
#include "src/strided.h"
#include "src/text.h"

namespace kinglet::converter {
namespace {

constexpr std::string_view kSuffix = ".npy";
constexpr std::array<uint8_t, 6> kMagic{0x93, 'N', 'U', 'M', 'P', 'Y'};
constexpr size_t kMaxHeader = size_t{1} << 16;
constexpr size_t kChunkElements = 4096;

template <typename Number>
Number read_number(ZipEntryReader& reader) {
  Number number = 0;
  reader.read(std::as_writable_bytes(std::span(&number, 1)));
  return number;
}

NpyHeader read_header(ZipEntryReader& reader, const std::string& name) {
  std::array<uint8_t, 8> start{};  // magic, version
  reader.read(std::as_writable_bytes(std::span(start)));
  if (!std::equal(kMagic.begin(), kMagic.end(), start.begin()))
    throw Error(name, "", "expected an .npy array");
  const uint8_t major = start[6];
  if (major < 1 || major > 3 || start[7] != 0) throw Error(name, "", "expected .npy version 1.0, 2.0 or 3.0");
  const size_t length = major == 1 ? read_number<uint16_t>(reader) : read_number<uint32_t>(reader);
  if (length > kMaxHeader)
    throw Error(name, "", "a header of more than " + std::to_string(kMaxHeader) + " bytes");
  std::string text(length, '\0');
  reader.read(std::as_writable_bytes(std::span(text)));
  return parse_npy_header(text, name);
}

// The elements come with the first dimension fastest: walked in reverse order of dimensions, each goes to the
// place that the row-major strides give it.
void read_column_major(ZipEntryReader& reader, Tensor& tensor) {
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

Tensor read_array(const ZipArchive& archive, const ZipEntry& entry) {
  const std::string name = archive.file() + ": " + in_quotes(entry.name);
  ZipEntryReader reader(archive, entry);
  NpyHeader header = read_header(reader, name);
  const auto bytes = tensor_bytes(header.type, header.shape);
  if (!bytes || *bytes != reader.remaining()) {
    throw Error(name, "",
                "expected exactly the bytes of its type and shape to follow the header, got " +
                    std::to_string(reader.remaining()));
  }
  Tensor tensor{header.type, std::move(header.shape), std::vector<std::byte>(*bytes)};
  if (header.column_major) {
    read_column_major(reader, tensor);
  } else {
    reader.read(tensor.bytes);
  }
  reader.finish();
  return tensor;
}

}  // namespace

bool is_npz(const ZipArchive& archive) noexcept {
  return std::any_of(archive.entries().begin(), archive.entries().end(),
                     [](const ZipEntry& entry) { return entry.name.ends_with(kSuffix); });
}

Checkpoint read_npz(const ZipArchive& archive) {
  Checkpoint checkpoint;
  checkpoint.format = "npz";
  for (const ZipEntry& entry : archive.entries()) {
    if (!entry.name.ends_with(kSuffix)) {
      checkpoint.ignored.emplace_back(entry.name);
      continue;
    }
    if (checkpoint.tensors.size() == kMaxTensors) {
      archive.fail(entry, "more than " + std::to_string(kMaxTensors) + " tensors");
    }
    const auto name = entry.name.substr(0, entry.name.size() - kSuffix.size());
    checkpoint.tensors.emplace(name, read_array(archive, entry));
  }
  return checkpoint;
}

}  // namespace kinglet::converter
