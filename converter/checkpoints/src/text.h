#pragma once

#include <string>
#include <string_view>

namespace kinglet::converter {

/// True if `text` is well-formed UTF-8: no overlong form, no surrogate, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

/// `text` between quotes, on one line and of bounded length, so that an error can name what a hostile file
/// named.
std::string in_quotes(std::string_view text);

/// The span as text.
template <typename Bytes>
std::string_view as_text(const Bytes& bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace kinglet::converter
