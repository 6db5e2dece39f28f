#include "src/byte_cursor.h"
#include "src/npy_array.h"

namespace kinglet::converter {
namespace {

class SpanReader {
 public:
  SpanReader(std::span<const std::byte> bytes, std::string_view name) : cursor_(bytes, name) {}
  uint64_t remaining() const noexcept { return cursor_.remaining(); }
  void read(std::span<std::byte> out) {
    const auto taken = cursor_.take(out.size());
    std::copy(taken.begin(), taken.end(), out.begin());
  }

 private:
  ByteCursor cursor_;
};

}  // namespace

bool is_npy(std::span<const std::byte> bytes) noexcept {
  return bytes.size() >= kNpyMagic.size() && std::equal(kNpyMagic.begin(), kNpyMagic.end(), bytes.begin());
}

Tensor read_npy(std::span<const std::byte> bytes, const std::string& name) {
  SpanReader reader(bytes, name);
  return read_npy_array(reader, name);
}

}  // namespace kinglet::converter
