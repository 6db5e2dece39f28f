#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <zlib.h>

namespace kinglet::converter {

/// One member of a zip archive, as its central directory states it.
struct ZipEntry {
  std::string_view name;            // UTF-8, a view into the archive's bytes
  std::span<const std::byte> data;  // as it lies in the archive: deflated or stored
  uint64_t size = 0;                // bytes when extracted
  uint32_t crc = 0;                 // CRC-32 of the extracted bytes
  bool deflated = false;
};

/// The directory of a zip archive in memory, checked when opened: one disk, nothing encrypted, every member
/// stored or deflated, inside the archive, apart from the others, with a name of its own, and all of them
/// inflating to no more than max_decoded_bytes. Zip64 and data descriptors are accepted. The central
/// directory has the last word; a local header that contradicts it is an error. The bytes must outlive the
/// archive and its entries. Immutable.
class ZipArchive {
 public:
  ZipArchive(std::span<const std::byte> bytes, std::string file);

  const std::string& file() const noexcept { return file_; }
  uint64_t file_bytes() const noexcept { return file_bytes_; }
  /// In the central directory's order.
  std::span<const ZipEntry> entries() const noexcept { return entries_; }
  const ZipEntry* find(std::string_view name) const noexcept;
  [[noreturn]] void fail(const ZipEntry& entry, std::string_view message) const;

 private:
  void index_names();
  void check_inflated_size() const;

  std::string file_;
  uint64_t file_bytes_;
  std::vector<ZipEntry> entries_;
  std::vector<uint32_t> by_name_;
};

/// Extracts one entry front to back, never more bytes than its directory entry states. Not thread-safe.
class ZipEntryReader {
 public:
  ZipEntryReader(const ZipArchive& archive, const ZipEntry& entry);
  ~ZipEntryReader();
  ZipEntryReader(const ZipEntryReader&) = delete;
  ZipEntryReader& operator=(const ZipEntryReader&) = delete;

  uint64_t remaining() const noexcept { return entry_.size - extracted_; }
  /// Fills `out`, or throws Error if the entry ends before.
  void read(std::span<std::byte> out);
  /// Call after the last read: throws Error unless the entry ends here with the right checksum.
  void finish();

 private:
  void inflate_into(std::span<std::byte> out);

  const ZipArchive& archive_;
  const ZipEntry& entry_;
  z_stream stream_{};
  uint64_t consumed_ = 0;   // of entry_.data
  uint64_t extracted_ = 0;  // of entry_.size
  uint32_t crc_ = 0;
};

/// A whole entry, its checksum verified: a view into the archive if stored, else a buffer of its own.
class ZipEntryBytes {
 public:
  ZipEntryBytes(const ZipArchive& archive, const ZipEntry& entry);
  std::span<const std::byte> bytes() const noexcept { return inflated_.empty() ? stored_ : inflated_; }

 private:
  std::vector<std::byte> inflated_;
  std::span<const std::byte> stored_;
};

}  // namespace kinglet::converter
