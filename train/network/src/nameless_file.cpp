#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kinglet/formats/error.h"

#include "row_cache.h"

namespace kinglet::train {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

[[noreturn]] void fail(const std::string& folder, const char* action) {
  throw Error(folder, "temporary file", std::string(action) + ": " + std::strerror(errno));
}

}  // namespace

NamelessFile::NamelessFile(const std::filesystem::path& folder) : folder_(folder.string()) {
  static std::atomic<unsigned> counter{0};
  const std::string path =
      (folder / (".rows.tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++))).string();
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor_ < 0) fail(folder_, "cannot create");
  ::unlink(path.c_str());
}

NamelessFile::NamelessFile(NamelessFile&& other) noexcept {
  *this = std::move(other);
}

NamelessFile& NamelessFile::operator=(NamelessFile&& other) noexcept {
  std::swap(folder_, other.folder_);
  std::swap(buffer_, other.buffer_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(data_, other.data_);
  return *this;
}

NamelessFile::~NamelessFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

void NamelessFile::append(const void* data, size_t size) {
  buffer_.append(static_cast<const char*>(data), size);
  size_ += size;
  if (buffer_.size() >= kBufferBytes) flush();
}

void NamelessFile::flush() {
  std::string_view left = buffer_;
  while (!left.empty()) {
    const ssize_t written = ::write(descriptor_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(folder_, "cannot write");
    left.remove_prefix(static_cast<size_t>(written));
  }
  buffer_.clear();
}

void NamelessFile::map() {
  flush();
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor_, 0);
  if (address == MAP_FAILED) fail(folder_, "cannot map");
  data_ = static_cast<const std::byte*>(address);
}

}  // namespace kinglet::train
