#include "src/text.h"

#include <cstddef>

namespace kinglet::converter {
namespace {

constexpr size_t kMaxQuoted = 96;

unsigned char at(std::string_view text, size_t index) {
  return static_cast<unsigned char>(text[index]);
}

// The length of the well-formed sequence at `index`, or 0.
size_t sequence_length(std::string_view text, size_t index) {
  const unsigned lead = at(text, index);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - index < length) return 0;
  // The second byte's range is what excludes overlong forms, surrogates and values beyond U+10FFFF.
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (at(text, index + 1) < low || at(text, index + 1) > high) return 0;
  for (size_t next = 2; next < length; ++next) {
    if ((at(text, index + next) & 0xC0U) != 0x80U) return 0;
  }
  return length;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  for (size_t index = 0; index < text.size();) {
    const size_t length = sequence_length(text, index);
    if (length == 0) return false;
    index += length;
  }
  return true;
}

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (size_t index = 0; index < text.size();) {
    if (result.size() > kMaxQuoted) return result + "...\"";
    const size_t length = sequence_length(text, index);
    const bool control = at(text, index) < 0x20 || at(text, index) == 0x7F;
    if (length == 0 || control) {
      constexpr std::string_view digits = "0123456789abcdef";
      result.append("\\x").append({digits[at(text, index) >> 4U], digits[at(text, index) & 15U]});
      ++index;
    } else {
      result.append(text.substr(index, length));
      index += length;
    }
  }
  return result + '"';
}

}  // namespace kinglet::converter
