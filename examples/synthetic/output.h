#pragma once

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace kinglet::synthetic {

/// A file to write whose every failure is an exception.
class Output {
 public:
  explicit Output(const std::filesystem::path& path)
      : path_(path), stream_(path, std::ios::binary | std::ios::trunc) {
    check();
  }
  void write(std::string_view bytes) {
    stream_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    check();
  }
  void close() {
    stream_.close();
    check();
  }

 private:
  void check() const {
    if (!stream_) throw std::runtime_error(path_.string() + ": cannot write");
  }
  std::filesystem::path path_;
  std::ofstream stream_;
};

}  // namespace kinglet::synthetic
