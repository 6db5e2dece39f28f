#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#include <xxhash.h>

namespace kinglet::formats {

static_assert(std::endian::native == std::endian::little,
              "fingerprints are defined over little-endian words");

/// The two histories (spec section 2). On disk: never renumber.
enum class HistoryPart : uint8_t { train, valid };

/// What a counter counts over (spec section 2). On disk, inside every fingerprint: never renumber.
enum class CounterKind : uint8_t { pair = 1, author, reader, language, hashtag, tweet };

/// 64 bits that stand for an id or for a counter's key in a history file. Never 0: 0 marks an empty slot.
///
/// False matches: a key that is in no row finds another key's counts with probability n / 2^64 in a table of
/// n keys (n = 10^9: 5.4e-11), and two of n keys share one entry with probability about n^2 / 2^65 over the
/// whole table (n = 10^9: 2.7 %, for any one key 5.4e-11). docs/formats/history.md has the arithmetic.
using Fingerprint = uint64_t;

/// Fingerprint of an id: XXH3-64 of its bytes.
inline Fingerprint id_fingerprint(std::string_view id) noexcept {
  const Fingerprint hash = XXH3_64bits(id.data(), id.size());
  return hash + (hash == 0 ? 1 : 0);
}

/// Fingerprint of the key of a counter: XXH3-64 of the two id fingerprints as little-endian words, seeded
/// with the kind. Kinds over one id have `second` = 0.
inline Fingerprint key_fingerprint(CounterKind kind, Fingerprint first, Fingerprint second = 0) noexcept {
  const std::array<uint64_t, 2> ids{first, second};
  const Fingerprint hash = XXH3_64bits_withSeed(ids.data(), sizeof ids, static_cast<uint64_t>(kind));
  return hash + (hash == 0 ? 1 : 0);
}

/// Fingerprint of `key` counted within one part of the rows alone: a day (days since 1970) or a chunk.
inline Fingerprint part_fingerprint(Fingerprint key, int64_t part) noexcept {
  const std::array<uint64_t, 2> words{key, static_cast<uint64_t>(part)};
  const Fingerprint hash = XXH3_64bits(words.data(), sizeof words);
  return hash + (hash == 0 ? 1 : 0);
}

}  // namespace kinglet::formats
