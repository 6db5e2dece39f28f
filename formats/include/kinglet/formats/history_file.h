#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "kinglet/formats/file.h"
#include "kinglet/formats/history_counts.h"
#include "kinglet/formats/history_keys.h"
#include "kinglet/formats/history_table.h"

namespace kinglet::formats {

/// One author similar to another (spec section 4).
struct SimilarAuthor {
  Fingerprint author;  // id_fingerprint of the similar author's id
  double similarity;   // Jaccard similarity, 0.1 to 1
};

/// The most similar authors a file keeps for one author: the 10 highest, the author itself left out.
inline constexpr size_t kMaxSimilarAuthors = 9;

/// Where a history came from. No clock time: the same rows give the same bytes.
struct HistoryInfo {
  uint64_t holdout_every = 0;                   // 0: no validation row was held out
  uint64_t train_rows = 0;                      // rows counted in the train history
  uint64_t valid_rows = 0;                      // rows counted in the valid history
  uint64_t held_out_rows = 0;                   // validation rows in no history
  std::array<uint8_t, 16> train_fingerprint{};  // XXH3-128 of what was counted of each row, in row order
  std::array<uint8_t, 16> valid_fingerprint{};
};

/// The tables of a history file. On disk: never renumber.
enum class HistoryTable : uint8_t { train, valid, similar };
inline constexpr size_t kHistoryTables = 3;

/// A history file, mapped read-only: the counters of both histories and the similar authors (spec sections 2
/// and 4, docs/formats/history.md). Immutable, shareable between threads and processes. Nothing but the
/// constructor throws; a look-up allocates nothing, reads one or two cache lines (one more for the rare key
/// with a counter beyond 4,095 that is not in its first bucket) and gives the same result on every CPU.
class HistoryFile {
 public:
  enum class Verify {
    header,  // structure, bounds and the header's checksum: constant time
    full,    // every section's checksum too
  };
  using Place = FingerprintTable::Place;

  /// Throws Error if the file is not a history file of this format version or is damaged.
  explicit HistoryFile(const std::filesystem::path& path, Verify verify = Verify::header);

  /// Where a key's counters may lie. Locating (and prefetching) many keys before reading them overlaps their
  /// cache misses.
  Place locate(HistoryPart part, Fingerprint key) const noexcept {
    const Place place = tables_[static_cast<size_t>(part)].locate(key);
    FingerprintTable::prefetch(place);
    return place;
  }

  /// The counters of a key that locate() gave `place` for; all 0 if the history has no such key.
  Counts read(HistoryPart part, Fingerprint key, const Place& place) const noexcept {
    const uint64_t packed = tables_[static_cast<size_t>(part)].read(key, place);
    if ((packed & PackedCounts::kLarge) != 0) return large_counts(part, packed);
    return PackedCounts::unpack(packed);
  }

  Counts find(HistoryPart part, Fingerprint key) const noexcept {
    return read(part, key, tables_[static_cast<size_t>(part)].locate(key));
  }

  /// The authors similar to the one with this id_fingerprint, by similarity descending, then by id ascending;
  /// at most kMaxSimilarAuthors. Valid as long as this object.
  std::span<const SimilarAuthor> similar_authors(Fingerprint author) const noexcept;
  /// Prefetches what similar_authors() will read first.
  void prefetch_similar_authors(Fingerprint author) const noexcept {
    FingerprintTable::prefetch(tables_[static_cast<size_t>(HistoryTable::similar)].locate(author));
  }

  const HistoryInfo& info() const noexcept { return info_; }
  uint64_t keys(HistoryTable table) const noexcept { return keys_[static_cast<size_t>(table)]; }
  uint64_t bytes() const noexcept { return file_.bytes().size(); }

 private:
  Counts large_counts(HistoryPart part, uint64_t packed) const noexcept;

  struct Extra {
    const std::byte* data = nullptr;
    uint64_t entries = 0;
  };

  MappedFile file_;
  std::array<FingerprintTable, kHistoryTables> tables_;
  std::array<Extra, kHistoryTables> extra_;  // large counts; similar authors
  std::array<uint64_t, kHistoryTables> keys_{};
  HistoryInfo info_;
};

}  // namespace kinglet::formats
