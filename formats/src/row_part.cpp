#include "row_part.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kinglet::formats {
namespace {

constexpr int kGzipOnly = 15 + 16;  // zlib: the largest window, and a gzip header

[[noreturn]] void fail(const std::string& path, const char* action) {
  throw Error(path, "", std::string(action) + ": " + std::strerror(errno));
}

}  // namespace

uint64_t part_size(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) fail(path.string(), "cannot open");
  if (!S_ISREG(info.st_mode)) throw Error(path.string(), "", "expected a regular file");
  return static_cast<uint64_t>(info.st_size);
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

PartFile::PartFile(const std::filesystem::path& path, size_t block_bytes)
    : path_(path.string()),
      descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
      block_bytes_(std::min<size_t>(block_bytes, std::numeric_limits<uInt>::max())) {
  if (descriptor_.number() < 0) fail(path_, "cannot open");
  if (!starts_as_gzip()) return;
  auto compressed = std::make_unique_for_overwrite<unsigned char[]>(block_bytes_);
  if (::inflateInit2(&stream_, kGzipOnly) != Z_OK) throw Error(path_, "", "no memory to inflate");
  compressed_ = std::move(compressed);
}

PartFile::~PartFile() {
  if (compressed_ != nullptr) ::inflateEnd(&stream_);
}

// No row can start so: its first byte is a digit.
bool PartFile::starts_as_gzip() const {
  unsigned char magic[2] = {};
  return ::pread(descriptor_.number(), magic, sizeof magic, 0) == sizeof magic && magic[0] == 0x1f &&
         magic[1] == 0x8b;
}

size_t PartFile::read(char* out, size_t size) {
  return compressed_ != nullptr ? inflate_some(out, size) : read_disk(out, size);
}

size_t PartFile::read_disk(void* out, size_t size) {
  for (;;) {
    const ssize_t got = ::read(descriptor_.number(), out, size);
    if (got >= 0) {
      bytes_read_ += static_cast<uint64_t>(got);
      return static_cast<size_t>(got);
    }
    if (errno != EINTR) fail(path_, "cannot read");
  }
}

void PartFile::refill() {
  stream_.next_in = compressed_.get();
  stream_.avail_in = static_cast<uInt>(read_disk(compressed_.get(), block_bytes_));
}

// An error is thrown by the call after the one that found it, so that the block size does not decide which
// rows come before it.
size_t PartFile::inflate_some(char* out, size_t size) {
  const auto room = static_cast<uInt>(std::min<size_t>(size, std::numeric_limits<uInt>::max()));
  stream_.next_out = reinterpret_cast<unsigned char*>(out);
  stream_.avail_out = room;
  while (stream_.avail_out == room) {
    if (status_ != Z_OK && status_ != Z_STREAM_END) throw inflate_error();
    if (stream_.avail_in == 0) refill();
    if (status_ == Z_STREAM_END) {
      if (stream_.avail_in == 0) return 0;
      ::inflateReset(&stream_);
    }
    status_ = ::inflate(&stream_, Z_NO_FLUSH);
  }
  return room - stream_.avail_out;
}

Error PartFile::inflate_error() const {
  // There was room, so no progress means no input: the file ended inside a member.
  if (status_ == Z_BUF_ERROR) return {path_, "", "the gzip data is cut short"};
  const char* const reason = stream_.msg != nullptr ? stream_.msg : "inflate failed";
  return {path_, "byte " + std::to_string(bytes_read_ - stream_.avail_in),
          std::string("corrupt gzip data: ") + reason};
}

}  // namespace kinglet::formats
