#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "kinglet/formats/history_file.h"

// The bytes of a history file as docs/formats/history.md describes them. On disk: change only with the
// version.
namespace kinglet::formats::history_layout {

inline constexpr std::array<char, 8> kIdentifier{'K', 'N', 'G', 'L', 'H', 'I', 'S', 'T'};
inline constexpr uint32_t kVersion = 1;
inline constexpr uint64_t kAlignment = 64;

/// Sections in their order in the file.
enum class Section : uint8_t {
  train_buckets,
  train_stash,
  train_large,
  valid_buckets,
  valid_stash,
  valid_large,
  similar_authors,
  similar_buckets,
  similar_stash,
};
inline constexpr size_t kSections = 9;
inline constexpr std::array<std::string_view, kSections> kSectionNames{
    "train buckets",      "train stash",     "train large counts", "valid buckets", "valid stash",
    "valid large counts", "similar authors", "similar buckets",    "similar stash"};

struct TableSections {
  Section buckets;
  Section stash;
  Section extra;
};
inline constexpr std::array<TableSections, kHistoryTables> kTableSections{{
    {Section::train_buckets, Section::train_stash, Section::train_large},
    {Section::valid_buckets, Section::valid_stash, Section::valid_large},
    {Section::similar_buckets, Section::similar_stash, Section::similar_authors},
}};

struct TableRecord {
  uint64_t keys;
  uint32_t segment_bits;
  uint32_t buckets_per_segment;
};

struct SectionRecord {
  uint64_t offset;  // from the start of the file
  uint64_t length;
  std::array<uint8_t, 16> checksum;  // XXH3-128, canonical (big-endian) form
};

struct Header {
  std::array<char, 8> identifier;
  uint32_t version;
  uint32_t header_bytes;
  std::array<uint8_t, 16> checksum;  // of the header with this field zero
  uint64_t file_bytes;
  uint64_t holdout_every;
  uint64_t train_rows;
  uint64_t valid_rows;
  uint64_t held_out_rows;
  std::array<uint8_t, 16> train_fingerprint;
  std::array<uint8_t, 16> valid_fingerprint;
  std::array<TableRecord, kHistoryTables> tables;
  std::array<SectionRecord, kSections> sections;
  std::array<uint8_t, 72> reserved;  // zero
};
static_assert(sizeof(Header) == 512 && std::is_trivially_copyable_v<Header>);
static_assert(sizeof(SectionRecord) == 32 && sizeof(TableRecord) == 16);

/// Counts beyond PackedCounts::kMax: one cache line each.
struct LargeCounts {
  std::array<uint64_t, PackedCounts::kCounters> counts;
  std::array<uint64_t, 3> reserved;  // zero
};
static_assert(sizeof(LargeCounts) == 64);
static_assert(sizeof(SimilarAuthor) == 16);
static_assert(sizeof(FingerprintTable::StashEntry) == 16);

/// The value of an author in the table of similar ones: index of the first, and their number in the low 8
/// bits.
inline constexpr unsigned kSimilarCountBits = 8;

inline constexpr uint64_t aligned(uint64_t offset) noexcept {
  return (offset + kAlignment - 1) & ~(kAlignment - 1);
}

inline std::array<uint8_t, 16> canonical(const XXH128_hash_t& hash) noexcept {
  XXH128_canonical_t form;
  XXH128_canonicalFromHash(&form, hash);
  return std::to_array(form.digest);
}

inline std::array<uint8_t, 16> header_checksum(Header header) noexcept {
  header.checksum = {};
  return canonical(XXH3_128bits(&header, sizeof header));
}

}  // namespace kinglet::formats::history_layout
