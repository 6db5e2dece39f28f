#include "spill_file.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "kinglet/formats/error.h"

namespace kinglet::history {
namespace {

[[noreturn]] void fail(const std::string& folder, std::string_view action) {
  throw Error(folder, "temporary file", std::string(action) + ": " + std::strerror(errno));
}

}  // namespace

SpillFile::SpillFile(const std::filesystem::path& output) : folder_(output.parent_path().string()) {
  static std::atomic<unsigned> counter{0};
  if (folder_.empty()) folder_ = ".";
  const std::string path = folder_ + "/." + output.filename().string() + ".spill-" +
                           std::to_string(::getpid()) + "-" + std::to_string(counter++);
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor_ < 0) fail(folder_, "cannot create");
  ::unlink(path.c_str());
}

SpillFile::SpillFile(SpillFile&& other) noexcept
    : folder_(std::move(other.folder_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(std::exchange(other.size_, 0)) {}

SpillFile& SpillFile::operator=(SpillFile&& other) noexcept {
  std::swap(folder_, other.folder_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  return *this;
}

SpillFile::~SpillFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void SpillFile::append(const void* data, size_t size) {
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(descriptor_, bytes, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail(folder_, "cannot write");
    }
    bytes += written;
    size -= static_cast<size_t>(written);
    size_ += static_cast<uint64_t>(written);
  }
}

void SpillFile::read(uint64_t offset, void* data, size_t size) const {
  char* bytes = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t got = ::pread(descriptor_, bytes, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      if (got == 0) errno = EIO;
      fail(folder_, "cannot read");
    }
    bytes += got;
    offset += static_cast<uint64_t>(got);
    size -= static_cast<size_t>(got);
  }
}

}  // namespace kinglet::history
