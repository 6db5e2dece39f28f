#pragma once

#include <cstddef>
#include <string_view>

namespace kinglet::formats {

/// The offset of the first byte that no row may hold, or line.size(). Refused are bytes that are not UTF-8
/// (overlong forms, surrogates and code points above U+10FFFF included; the offset is the sequence's first
/// byte) and control bytes other than the two separators.
size_t find_refused_byte(std::string_view line) noexcept;

/// A control byte of ASCII, separators left out.
constexpr bool is_control_byte(unsigned char byte) noexcept {
  return (byte < 0x20 && byte != '\x01' && byte != '\t') || byte == 0x7f;
}

}  // namespace kinglet::formats
