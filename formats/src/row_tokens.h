#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace kinglet::formats {

/// How many bytes parse_tokens() may read behind its list.
inline constexpr size_t kTokenPadding = 8;

/// Why and where a list of token ids was refused.
struct TokenList {
  enum class Status : uint8_t { good, bad_token, too_many };
  Status status;
  size_t count;   // tokens before the list's end or the refused one
  size_t offset;  // where the refused item begins
};

/// Parses a tab-separated list of token ids into `out`, without allocating. Behind the list there must be
/// kTokenPadding readable bytes, the first of which is not a digit.
TokenList parse_tokens(std::string_view list, std::span<uint32_t> out) noexcept;

}  // namespace kinglet::formats
