#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace kinglet::history {

/// A temporary file in the output's folder. It loses its name as soon as it is open, so that the system frees
/// it on every way out of the process. Throws Error, a full disk among the reasons. Not thread-safe.
class SpillFile {
 public:
  explicit SpillFile(const std::filesystem::path& output);
  SpillFile(SpillFile&& other) noexcept;
  SpillFile& operator=(SpillFile&& other) noexcept;
  ~SpillFile();

  void append(const void* data, size_t size);
  void read(uint64_t offset, void* data, size_t size) const;
  uint64_t size() const noexcept { return size_; }

 private:
  std::string folder_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

}  // namespace kinglet::history
