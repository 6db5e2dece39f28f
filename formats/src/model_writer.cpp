#include <cstdlib>
#include <cstring>
#include <new>

#include "kinglet/formats/error.h"
#include "kinglet/formats/model_file.h"

#include "model_layout.h"

namespace kinglet::formats {
namespace {

/// Size prefix, FlatBuffer, checksum, padding. Defaults are written out too, so that the length does not
/// depend on the values of scalars.
std::vector<std::byte> pack_header(const fbs::ModelT& header) {
  flatbuffers::FlatBufferBuilder builder(1 << 16);
  builder.ForceDefaults(true);
  fbs::FinishSizePrefixedModelBuffer(builder, fbs::Model::Pack(builder, &header));
  const std::span<const std::byte> packed(reinterpret_cast<const std::byte*>(builder.GetBufferPointer()),
                                          builder.GetSize());
  const Checksum checksum = checksum_of(packed);
  std::vector<std::byte> bytes(packed.begin(), packed.end());
  bytes.resize(align_up(packed.size() + sizeof checksum));
  std::memcpy(bytes.data() + packed.size(), &checksum, sizeof checksum);
  return bytes;
}

}  // namespace

ModelFileWriter::ModelFileWriter(fbs::ModelT header, std::vector<std::vector<std::byte>> tensors)
    : header_(std::move(header)), tensors_(std::move(tensors)) {
  header_.format_version = kModelFormatVersion;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const Checksum checksum = checksum_of(tensors_[i]);
    header_.tensors[i]->length = tensors_[i].size();
    header_.tensors[i]->checksum_low = checksum.low;
    header_.tensors[i]->checksum_high = checksum.high;
  }
}

std::vector<std::byte> ModelFileWriter::serialise() {
  // Twice: offsets depend on the header's length, which does not depend on their values.
  uint64_t end = pack_header(header_).size();
  for (size_t i = 0; i < tensors_.size(); ++i) {
    header_.tensors[i]->offset = align_up(end);
    end = header_.tensors[i]->offset + tensors_[i].size();
  }
  header_.file_length = end;
  return pack_header(header_);
}

ModelFileWriter::Image ModelFileWriter::image() {
  const std::vector<std::byte> head = serialise();
  const size_t size = align_up(header_.file_length);
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(kTensorAlignment, size));
  if (memory == nullptr) throw std::bad_alloc();
  Image image{{memory, [](std::byte* block) { std::free(block); }}, {memory, header_.file_length}};
  std::memset(memory, 0, size);
  std::memcpy(memory, head.data(), head.size());
  for (size_t i = 0; i < tensors_.size(); ++i) {
    std::memcpy(memory + header_.tensors[i]->offset, tensors_[i].data(), tensors_[i].size());
  }
  return image;
}

void ModelFileWriter::write(const std::filesystem::path& path) {
  const std::vector<std::byte> head = serialise();
  AtomicFile file(path);
  file.write(head.data(), head.size());
  for (const std::vector<std::byte>& tensor : tensors_) {
    file.pad_to(kTensorAlignment);
    file.write(tensor.data(), tensor.size());
  }
  file.commit();
}

}  // namespace kinglet::formats
