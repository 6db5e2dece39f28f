#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "kinglet/formats/error.h"

namespace kinglet::converter {

static_assert(std::endian::native == std::endian::little,
              "the readers copy little-endian numbers as they lie");

/// Walks a span, each read checked against its end. `name` stands for the span in errors; both must outlive
/// the cursor.
class ByteCursor {
 public:
  ByteCursor(std::span<const std::byte> bytes, std::string_view name, uint64_t offset = 0)
      : bytes_(bytes), name_(name) {
    seek(offset);
  }

  uint64_t offset() const noexcept { return offset_; }
  uint64_t remaining() const noexcept { return bytes_.size() - offset_; }

  void seek(uint64_t offset) {
    if (offset > bytes_.size())
      fail_at(offset, "beyond the end of " + std::to_string(bytes_.size()) + " bytes");
    offset_ = offset;
  }

  std::span<const std::byte> take(uint64_t count) {
    if (count > remaining()) {
      fail("expected " + std::to_string(count) + " more bytes, only " + std::to_string(remaining()) +
           " are left");
    }
    const auto taken = bytes_.subspan(offset_, count);
    offset_ += count;
    return taken;
  }

  std::string_view take_text(uint64_t count) {
    const auto taken = take(count);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

  /// A little-endian number.
  template <std::integral Number>
  Number read() {
    Number number;
    std::memcpy(&number, take(sizeof number).data(), sizeof number);
    return number;
  }

  [[noreturn]] void fail(std::string_view message) const { fail_at(offset_, message); }
  [[noreturn]] void fail_at(uint64_t offset, std::string_view message) const {
    throw Error(name_, "byte " + std::to_string(offset), message);
  }

 private:
  std::span<const std::byte> bytes_;
  std::string_view name_;
  uint64_t offset_ = 0;
};

}  // namespace kinglet::converter
