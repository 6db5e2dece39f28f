#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "kinglet/formats/history_counts.h"
#include "kinglet/formats/history_keys.h"

#include "sorted_runs.h"

namespace kinglet::history {

/// Counters being counted: (key, one more row with reaction r) is added up in a hash table of fixed size,
/// which goes to disk as a sorted run whenever it is full. Not thread-safe.
class CounterMap {
 public:
  CounterMap(const std::filesystem::path& output, uint64_t memory_bytes, SortedRuns::Merging merging);

  /// Adds `increments`: at most 1 in each 12-bit field of PackedCounts. Takes effect some calls later, when
  /// the key's slot has come from memory.
  void add(formats::Fingerprint key, uint64_t increments);

  /// Ends the counting: frees the table and leaves one run of distinct keys, ascending, with their counters
  /// split over neighbouring records where they do not fit one.
  SortedRuns finish() &&;

 private:
  static constexpr size_t kPending = 32;

  void resize(size_t slots);
  size_t home(formats::Fingerprint key) const noexcept;
  Record* slot_of(formats::Fingerprint key) noexcept;
  void apply(const Record& pending);
  void make_room();
  void grow();
  void spill();

  size_t max_slots_;
  std::vector<Record> slots_;  // key 0 = free
  size_t homes_ = 0;           // slots that can be a key's first; kMaxProbes more follow
  size_t limit_ = 0;           // keys before the table counts as full
  size_t keys_ = 0;
  std::vector<Record> saturated_;  // counters that left the table because a field was half full
  std::array<Record, kPending> pending_{};
  size_t next_pending_ = 0;
  SortedRuns runs_;
};

/// Reads the counters of finished runs, one key at a time, ascending.
class CounterCursor {
 public:
  explicit CounterCursor(const SortedRuns& runs) : cursor_(runs) { more_ = cursor_.next(ahead_); }
  bool next(formats::Fingerprint& key, formats::Counts& counts);

 private:
  SortedRuns::Cursor cursor_;
  Record ahead_{};
  bool more_;
};

}  // namespace kinglet::history
