#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <zlib.h>

#include "kinglet/formats/error.h"

namespace kinglet::formats {

/// An open file, closed on destruction.
class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();
  int number() const noexcept { return number_; }

 private:
  int number_;
};

/// The text of one file, streamed; a file that starts as gzip does is inflated (all its members). Every
/// failure throws Error with the file's name.
class PartFile {
 public:
  /// Inflating takes `block_bytes` of compressed data from disk at a time.
  PartFile(const std::filesystem::path& path, size_t block_bytes);
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile();

  /// Up to `size` (> 0) bytes of text into `out`: at least one, or 0 at the end.
  size_t read(char* out, size_t size);
  /// Bytes taken from disk so far.
  uint64_t bytes_read() const noexcept { return bytes_read_; }

 private:
  bool starts_as_gzip() const;
  size_t read_disk(void* out, size_t size);
  size_t inflate_some(char* out, size_t size);
  void refill();
  Error inflate_error() const;

  std::string path_;
  Descriptor descriptor_;
  uint64_t bytes_read_ = 0;
  size_t block_bytes_;
  std::unique_ptr<unsigned char[]> compressed_;  // null for plain text
  z_stream stream_{};
  int status_ = Z_OK;  // what inflate said last; Z_STREAM_END = between members
};

/// The size of a regular file on disk. Throws Error if `path` is missing or anything else.
uint64_t part_size(const std::filesystem::path& path);

}  // namespace kinglet::formats
