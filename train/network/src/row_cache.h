#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <xxhash.h>

namespace kinglet::train {

/// One row as batches are made from: numeric features that are 0 are not stored.
struct CachedRow {
  std::array<uint32_t, 3> categories{};  // language, hour, day of the month minus 1
  uint64_t flags = 0;
  uint8_t labels = 0;                      // bit t: Target t happened
  std::span<const uint32_t> tokens;        // that the codebook knows, without the tweet's first and last
  std::array<uint64_t, 2> numeric_mask{};  // bit i: numeric feature i is not 0
  std::span<const double> numerics;        // those, in order
};

/// A file without a name, mapped read-only once it is written: nothing stays behind however the process ends.
class NamelessFile {
 public:
  NamelessFile() = default;
  /// In `folder`. Throws Error.
  explicit NamelessFile(const std::filesystem::path& folder);
  NamelessFile(NamelessFile&& other) noexcept;
  NamelessFile& operator=(NamelessFile&& other) noexcept;
  ~NamelessFile();

  void append(const void* data, size_t size);
  /// Ends writing. Throws Error, a full disk among the reasons.
  void map();
  uint64_t size() const noexcept { return size_; }
  const std::byte* data() const noexcept { return data_; }

 private:
  void flush();
  std::string folder_;
  std::string buffer_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
  const std::byte* data_ = nullptr;
};

/// Rows encoded once, about 200 to 400 bytes each on disk and 12 in memory. First rows are added, then
/// finish() is called, then rows are read, from any thread.
class RowCache {
 public:
  RowCache() = default;
  explicit RowCache(const std::filesystem::path& folder) : file_(folder) {}

  /// `part`: the row's day or chunk. Throws Error.
  void add(const CachedRow& row, int64_t part);
  void finish();

  size_t rows() const noexcept { return starts_.size(); }
  /// Views are valid as long as the cache.
  CachedRow row(size_t index) const noexcept;
  int64_t part(size_t index) const noexcept { return parts_[index]; }
  /// Rows with each Target.
  const std::array<uint64_t, 4>& positives() const noexcept { return positives_; }
  uint64_t bytes() const noexcept { return file_.size(); }
  /// XXH3-128, in hex, of everything stored, parts included.
  const std::string& fingerprint() const noexcept { return fingerprint_; }

 private:
  struct Head;
  void append(const void* data, size_t size);

  NamelessFile file_;
  std::vector<uint64_t> starts_;
  std::vector<int32_t> parts_;
  std::array<uint64_t, 4> positives_{};
  XXH3_state_t hash_state_{};
  std::string fingerprint_;
};

}  // namespace kinglet::train
