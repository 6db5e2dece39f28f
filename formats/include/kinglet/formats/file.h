#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace kinglet::formats {

/// A whole file mapped read-only and shared. Movable; unmapped on destruction. Immutable, so any thread may
/// read it. The file must not be truncated while mapped (writers of this project replace files by rename,
/// never in place).
class MappedFile {
 public:
  MappedFile() = default;
  /// Throws Error if the file is missing, is not a regular file, is empty or cannot be mapped.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  const std::string& path() const noexcept { return path_; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::string path_;
};

/// A copy of bytes in memory of its own, in huge pages where the system has them to give (Linux: transparent
/// ones, by advice): readers that jump about in it miss the address cache less. Read-only once made.
class HugePageCopy {
 public:
  /// Throws std::bad_alloc.
  explicit HugePageCopy(std::span<const std::byte> bytes);
  HugePageCopy(const HugePageCopy&) = delete;
  HugePageCopy& operator=(const HugePageCopy&) = delete;
  ~HugePageCopy();

  /// At the start of a page of 2 MiB.
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

 private:
  void* mapping_ = nullptr;
  size_t mapping_size_ = 0;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// A file written beside its final path (".NAME.tmp-PID-N") and renamed over it by commit(), after fsync.
/// Destroyed without commit() (an error, an interruption), it leaves nothing behind and the old file
/// untouched. Not thread-safe. Every failure to write (a full disk among them) throws Error.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(const void* data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Overwrites bytes already written (headers whose checksums are known last).
  void write_at(uint64_t offset, const void* data, size_t size);
  /// Writes zero bytes until the size is a multiple of `alignment` (a power of two).
  void pad_to(uint64_t alignment);
  uint64_t size() const noexcept { return size_; }
  void commit();

 private:
  void flush();
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  uint64_t size_ = 0;  // bytes written so far, those in buffer_ included
  std::string buffer_;
};

}  // namespace kinglet::formats
