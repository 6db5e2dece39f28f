#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "kinglet/converter/tensors.h"

namespace kinglet::test {

enum class ZipMethod : uint16_t { stored = 0, deflated = 8 };

/// Writes zip archives with everything a reader must believe or doubt open to tests: stated sizes, checksums,
/// flags and offsets may contradict the data.
class ZipWriter {
 public:
  struct Entry {
    std::string name;
    std::string data;  // as it lies in the archive
    ZipMethod method = ZipMethod::stored;
    uint64_t size = 0;  // stated, when extracted
    uint64_t stored_size = 0;
    uint32_t crc = 0;
    uint16_t flags = 0;
    uint64_t local_offset = 0;  // stated by the central directory
    std::string local_name;     // stated by the local header
  };

  /// Appends an entry that is right in every respect; the central directory is written from entries() by
  /// finish().
  Entry& add(std::string_view name, std::string_view bytes, ZipMethod method = ZipMethod::stored);
  /// Appends the entry's local header and data without looking at it, and its data descriptor if flag 3 is
  /// set.
  Entry& add_raw(Entry entry);
  std::vector<Entry>& entries() { return entries_; }
  /// With `zip64`, sizes, offsets and counts are given in zip64 records and the short fields are all ones.
  std::string finish(bool zip64 = false) const;

 private:
  std::string bytes_;
  std::vector<Entry> entries_;
};

std::string deflated(std::string_view bytes);
uint32_t crc32_of(std::string_view bytes);

/// Opcodes of a pickle of protocol 2, as far as torch.save uses them.
class PickleWriter {
 public:
  PickleWriter& raw(std::string_view opcodes) { return bytes_ += opcodes, *this; }
  PickleWriter& text(std::string_view text);
  PickleWriter& integer(int64_t number);  // LONG1
  PickleWriter& tuple(const std::vector<uint64_t>& numbers);
  PickleWriter& global(std::string_view module, std::string_view name);
  /// A tensor as torch rebuilds it; numbers may be negative.
  struct TensorParts {
    std::string storage_global = "FloatStorage";
    std::string key = "0";
    int64_t storage_elements = 0;
    int64_t offset = 0;
    std::vector<uint64_t> shape{};
    std::vector<uint64_t> strides{};
  };
  PickleWriter& tensor(const TensorParts& parts);
  /// The bytes with PROTO before and STOP behind.
  std::string finish() const { return std::string("\x80\x02", 2) + bytes_ + "."; }

 private:
  std::string bytes_;
};

/// How torch.save would lay out a state dict.
struct TorchZipOptions {
  std::string root = "net";
  std::string key_prefix{};
  bool in_checkpoint = false;  // as the value "state_dict" of a training framework's checkpoint
  bool zip64 = false;
  ZipMethod method = ZipMethod::stored;
};

std::string torch_zip_bytes(const converter::TensorMap& tensors, const TorchZipOptions& options = {});
std::string safetensors_bytes(const converter::TensorMap& tensors);
/// Arrays in row-major order, or column-major ("fortran_order"). bf16 is refused by exception: npy has no
/// such type.
std::string npz_bytes(const converter::TensorMap& tensors, ZipMethod method = ZipMethod::stored,
                      bool column_major = false);

void write_torch_zip(const std::filesystem::path& path, const converter::TensorMap& tensors,
                     const TorchZipOptions& options = {});
void write_safetensors(const std::filesystem::path& path, const converter::TensorMap& tensors);
void write_npz(const std::filesystem::path& path, const converter::TensorMap& tensors,
               ZipMethod method = ZipMethod::stored);

/// An .npy array of any header text, version 1.0.
std::string npy_bytes(std::string_view header, std::string_view data);

}  // namespace kinglet::test
