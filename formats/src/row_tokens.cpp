#include "row_tokens.h"

#include <bit>
#include <cstring>

#include "kinglet/formats/row.h"

namespace kinglet::formats {
namespace {

static_assert(RowLimits::token_id < 100'000'000, "a token id must fit the 8 digits of one word");

// The 8 bytes at `text`, the first one lowest.
uint64_t load_word(const char* text) noexcept {
  uint64_t word = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&word, text, sizeof word);
  } else {
    for (size_t i = 0; i < sizeof word; ++i) {
      word |= uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
    }
  }
  return word;
}

// How many digits `digits` (text XOR '0') starts with: a byte above 9 reaches its high bit, by itself or by
// adding 0x76. A carry out of such a byte spoils only bytes above it, which no longer matter.
size_t leading_digits(uint64_t digits) noexcept {
  const uint64_t others = ((digits + 0x7676767676767676) | digits) & 0x8080808080808080;
  return static_cast<size_t>(std::countr_zero(others)) / 8;
}

// The number whose 8 decimal digits are the bytes of `digits`, the most significant digit lowest: neighbours
// are joined to pairs, pairs to groups of four, and those to the number.
uint32_t join_digits(uint64_t digits) noexcept {
  const uint64_t pairs = (digits * (1 + (uint64_t{10} << 8)) >> 8) & 0x00ff00ff00ff00ff;
  const uint64_t fours = (pairs * (1 + (uint64_t{100} << 16)) >> 16) & 0x0000ffff0000ffff;
  return static_cast<uint32_t>(fours * (1 + (uint64_t{10'000} << 32)) >> 32);
}

}  // namespace

// Tokens are most of a row, and their lengths are hard to predict: each is parsed from one word, without a
// branch on its length.
TokenList parse_tokens(std::string_view list, std::span<uint32_t> out) noexcept {
  const char* const begin = list.data();
  const char* const end = begin + list.size();
  const char* at = begin;
  size_t count = 0;
  for (;;) {
    const auto refused = [&](TokenList::Status status) {
      return TokenList{status, count, static_cast<size_t>(at - begin)};
    };
    if (count == out.size()) return refused(TokenList::Status::too_many);
    const uint64_t digits = load_word(at) ^ 0x3030303030303030;
    const size_t length = leading_digits(digits);
    if (length == 0) return refused(TokenList::Status::bad_token);
    const uint32_t token = join_digits(digits << (64 - 8 * length));
    const char* const behind = at + length;
    if (token > RowLimits::token_id || (behind != end && *behind != '\t')) {
      return refused(TokenList::Status::bad_token);
    }
    out[count++] = token;
    if (behind == end) return {TokenList::Status::good, count, list.size()};
    at = behind + 1;
  }
}

}  // namespace kinglet::formats
