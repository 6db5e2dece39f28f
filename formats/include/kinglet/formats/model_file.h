#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kinglet/formats/file.h"
#include "kinglet/formats/model_generated.h"

namespace kinglet::formats {

/// The model file format this build writes, and the newest it reads; and the oldest.
inline constexpr uint32_t kModelFormatVersion = 3;
inline constexpr uint32_t kOldestModelFormatVersion = 1;
/// A code of the codebook tensor that means: this token has none.
inline constexpr uint16_t kNoCode = 0xFFFF;

struct Checksum {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const Checksum&) const = default;
};
/// XXH3-128 with seed 0.
Checksum checksum_of(std::span<const std::byte> bytes) noexcept;
/// Bits of one element in memory; 0: the type is unknown.
uint64_t element_bits(fbs::ElementType type) noexcept;
/// Bytes of so many elements, an even number of them where two share a byte.
uint64_t bytes_of(fbs::ElementType type, uint64_t elements) noexcept;
/// 32 hexadecimal digits, high half first.
std::string to_hex(const Checksum& checksum);

/// A tensor's place, checked: `bytes` lie inside the file, aligned to 64, as long as shape and packing say.
struct TensorView {
  const fbs::Tensor* info = nullptr;
  std::span<const std::byte> bytes;

  uint64_t dimension(size_t i) const noexcept { return info->shape()->Get(static_cast<unsigned>(i)); }
  size_t rank() const noexcept { return info->shape()->size(); }
  /// Valid only for the matching element type.
  const float* f32() const noexcept { return reinterpret_cast<const float*>(bytes.data()); }
  const uint16_t* u16() const noexcept { return reinterpret_cast<const uint16_t*>(bytes.data()); }
  const int8_t* s8() const noexcept { return reinterpret_cast<const int8_t*>(bytes.data()); }
  const int16_t* s16() const noexcept { return reinterpret_cast<const int16_t*>(bytes.data()); }
  const int32_t* s32() const noexcept { return reinterpret_cast<const int32_t*>(bytes.data()); }
};

/// A model file (docs/formats/model.md), opened: the header's checksum, its structure, every tensor's bounds
/// and the absence of gaps are checked, in time that does not depend on the tensors' bytes. What the names
/// mean to an engine (the plan) is the engine's to check. Immutable and shareable between threads; views live
/// as long as it does.
class ModelFile {
 public:
  /// Throws Error naming file, place and what was expected.
  explicit ModelFile(const std::filesystem::path& path);
  /// The same over bytes in memory, at a 64-byte-aligned address; they must outlive this. `name` is for
  /// messages.
  ModelFile(std::span<const std::byte> bytes, std::string name);

  const fbs::Model& header() const noexcept { return *header_; }
  uint64_t header_length() const noexcept { return header_length_; }
  uint64_t file_length() const noexcept { return bytes_.size(); }
  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  const std::string& path() const noexcept { return name_; }

  /// Every tensor, in file order.
  std::span<const TensorView> tensors() const noexcept { return tensors_; }
  /// Throws Error if there is none of that name; `place` says who asks.
  const TensorView& tensor(std::string_view name, std::string_view place) const;

  /// Reads every byte: each tensor's checksum, that every float is finite, and that no 8-bit
  /// integer is -128. Throws Error.
  void verify_tensors() const;

 private:
  void open();
  void check_header();
  void check_tensors();

  MappedFile file_;
  std::span<const std::byte> bytes_;
  std::string name_;
  const fbs::Model* header_ = nullptr;
  uint64_t header_length_ = 0;
  std::vector<TensorView> tensors_;
};

/// Gathers a model's header and tensors and lays them out as a file. The same input gives the same bytes.
class ModelFileWriter {
 public:
  /// `header` complete but for the tensors' offset, length and checksum and for file_length.
  /// `tensors[i]` are the bytes of header.tensors[i].
  ModelFileWriter(fbs::ModelT header, std::vector<std::vector<std::byte>> tensors);

  fbs::ModelT& header() noexcept { return header_; }
  /// The whole file in memory, 64-byte aligned: to open a model before it is on disk.
  struct Image {
    std::shared_ptr<std::byte> memory;
    std::span<const std::byte> bytes;
  };
  Image image();
  void write(const std::filesystem::path& path);

 private:
  std::vector<std::byte> serialise();  // header, its checksum, padding up to the first tensor
  fbs::ModelT header_;
  std::vector<std::vector<std::byte>> tensors_;
};

/// Bytes that shape and packing ask for; throws Error(name, place, ...) where they make no sense or overflow.
uint64_t packed_length(const std::string& file, const fbs::Tensor& tensor);

}  // namespace kinglet::formats
