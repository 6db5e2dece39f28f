#include "row_bytes.h"

#include <algorithm>

namespace kinglet::formats {
namespace {

constexpr size_t kBlock = 64;

constexpr bool is_plain(unsigned char byte) noexcept {
  return byte < 0x80 && !is_control_byte(byte);
}

// Free of branches, of a fixed length and all in bytes, so that compilers turn it into vector code. As signed
// numbers, the bytes from 0x80 on are below the space, as control bytes are.
bool is_plain_block(const unsigned char* bytes) noexcept {
  unsigned char refused = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const auto byte = static_cast<signed char>(bytes[i]);
    const bool low = byte < 0x20;
    const bool separator = (byte == '\x01') | (byte == '\t');
    refused |= static_cast<unsigned char>((low & !separator) | (byte == 0x7f));
  }
  return refused == 0;
}

// Lengths and the range of the second byte follow table 3-7 of the Unicode standard (well-formed UTF-8).
struct Lead {
  unsigned length;  // 0: no sequence starts so
  unsigned char second_low = 0x80;
  unsigned char second_high = 0xbf;
};

constexpr Lead lead_of(unsigned char byte) noexcept {
  if (byte < 0xc2) return {0};
  if (byte < 0xe0) return {2};
  if (byte == 0xe0) return {3, 0xa0, 0xbf};
  if (byte == 0xed) return {3, 0x80, 0x9f};
  if (byte < 0xf0) return {3};
  if (byte == 0xf0) return {4, 0x90, 0xbf};
  if (byte < 0xf4) return {4};
  if (byte == 0xf4) return {4, 0x80, 0x8f};
  return {0};
}

// The length of the sequence of several bytes that starts at `bytes`, 0 if it is malformed.
size_t sequence_length(const unsigned char* bytes, size_t size) noexcept {
  const Lead lead = lead_of(bytes[0]);
  if (lead.length == 0 || lead.length > size) return 0;
  if (bytes[1] < lead.second_low || bytes[1] > lead.second_high) return 0;
  for (size_t i = 2; i < lead.length; ++i) {
    if ((bytes[i] & 0xc0) != 0x80) return 0;
  }
  return lead.length;
}

}  // namespace

size_t find_refused_byte(std::string_view line) noexcept {
  const auto* bytes = reinterpret_cast<const unsigned char*>(line.data());
  size_t at = 0;
  while (at < line.size()) {
    if (line.size() >= kBlock) {
      // The last block overlaps the one before it.
      const size_t start = std::min(at, line.size() - kBlock);
      if (is_plain_block(bytes + start)) {
        at = start + kBlock;
        continue;
      }
    }
    // The last sequence may end behind the block: the next block starts where it does.
    const size_t end = std::min(at + kBlock, line.size());
    while (at < end) {
      const size_t length = is_plain(bytes[at]) ? 1 : sequence_length(bytes + at, line.size() - at);
      if (length == 0) return at;
      at += length;
    }
  }
  return line.size();
}

}  // namespace kinglet::formats
