#include "kinglet/formats/file.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kinglet/formats/error.h"

namespace kinglet::formats {
namespace {

constexpr size_t kWriteBuffer = size_t{1} << 18;

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view action) {
  throw Error(path.string(), "", std::string(action) + ": " + std::strerror(errno));
}

void write_fully(int descriptor, const char* data, size_t size, const std::filesystem::path& path) {
  while (size > 0) {
    const ssize_t written = ::write(descriptor, data, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail(path, "cannot write");
    }
    data += written;
    size -= static_cast<size_t>(written);
  }
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path.string()) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(path, "cannot open");
  struct stat info {};
  const bool regular = ::fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode);
  void* mapping = MAP_FAILED;
  if (regular && info.st_size > 0) {
    mapping = ::mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_SHARED, descriptor, 0);
  }
  const int map_error = errno;
  ::close(descriptor);
  if (!regular) throw Error(path_, "", "expected a regular file");
  if (info.st_size == 0) throw Error(path_, "", "the file is empty");
  if (mapping == MAP_FAILED) {
    errno = map_error;
    fail(path, "cannot map");
  }
  data_ = static_cast<const std::byte*>(mapping);
  size_ = static_cast<size_t>(info.st_size);
}

HugePageCopy::HugePageCopy(std::span<const std::byte> bytes) : size_(bytes.size()) {
  constexpr size_t kHugePage = size_t{1} << 21;
  // A whole page more, so that the copy can begin at a page's start.
  mapping_size_ = (size_ / kHugePage + 2) * kHugePage;
  mapping_ = ::mmap(nullptr, mapping_size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping_ == MAP_FAILED) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  // Advice: where it is not taken the copy lies in small pages.
  static_cast<void>(::madvise(mapping_, mapping_size_, MADV_HUGEPAGE));
#endif
  auto* base = static_cast<std::byte*>(mapping_);
  std::byte* start = base + (kHugePage - reinterpret_cast<uintptr_t>(base) % kHugePage) % kHugePage;
  std::memcpy(start, bytes.data(), size_);
  static_cast<void>(::mprotect(mapping_, mapping_size_, PROT_READ));
  data_ = start;
}

HugePageCopy::~HugePageCopy() {
  ::munmap(mapping_, mapping_size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      path_(std::move(other.path_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  static std::atomic<unsigned> counter{0};
  const std::string name = "." + path_.filename().string() + ".tmp-" + std::to_string(::getpid()) + "-" +
                           std::to_string(counter++);
  temporary_ = path_.parent_path() / name;
  descriptor_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(path_, "cannot create");
  buffer_.reserve(kWriteBuffer);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::flush() {
  write_fully(descriptor_, buffer_.data(), buffer_.size(), path_);
  buffer_.clear();
}

void AtomicFile::write(const void* data, size_t size) {
  if (buffer_.size() + size > kWriteBuffer) flush();
  if (size > kWriteBuffer) {
    write_fully(descriptor_, static_cast<const char*>(data), size, path_);
  } else {
    buffer_.append(static_cast<const char*>(data), size);
  }
  size_ += size;
}

void AtomicFile::write_at(uint64_t offset, const void* data, size_t size) {
  flush();
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::pwrite(descriptor_, bytes, size, static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      fail(path_, "cannot write");
    }
    bytes += written;
    offset += static_cast<uint64_t>(written);
    size -= static_cast<size_t>(written);
  }
}

void AtomicFile::pad_to(uint64_t alignment) {
  static constexpr char zeros[4096] = {};
  uint64_t missing = (alignment - size_ % alignment) % alignment;
  while (missing > 0) {
    const size_t part = missing < sizeof zeros ? static_cast<size_t>(missing) : sizeof zeros;
    write(zeros, part);
    missing -= part;
  }
}

void AtomicFile::commit() {
  flush();
  if (::fsync(descriptor_) != 0) fail(path_, "cannot write to disk");
  if (::close(std::exchange(descriptor_, -1)) != 0) {
    ::unlink(temporary_.c_str());
    fail(path_, "cannot close");
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    errno = error;
    fail(path_, "cannot rename into place");
  }
}

}  // namespace kinglet::formats
