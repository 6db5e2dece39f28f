#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kinglet/formats/history_table.h"

namespace kinglet::formats {

/// Places the keys of one segment of a FingerprintTable in its buckets: cuckoo hashing, where a key that
/// finds both buckets full moves others along the shortest path to a free slot. The result depends on the
/// entries alone.
class HistorySegment {
 public:
  using Entry = FingerprintTable::StashEntry;

  HistorySegment(unsigned segment_bits, uint32_t buckets);

  /// Fills the buckets with `entries` (of one segment, keys distinct); appends those without room to `stash`.
  /// Values with bit 63 set are placed first and stay in their first bucket if it has room, because reading
  /// them costs a further cache line.
  void place(std::span<const Entry> entries, std::vector<Entry>& stash);

  std::span<const std::byte> bytes() const noexcept { return std::as_bytes(std::span(words_)); }

 private:
  struct Step {
    uint32_t bucket;
    uint32_t parent;       // the step that leads here; itself for a first step
    uint32_t parent_slot;  // whose key would move here
  };

  uint64_t* bucket(uint32_t number) { return &words_[size_t{number} * 2 * FingerprintTable::kSlots]; }
  FingerprintTable::Buckets buckets_of(Fingerprint key) const;
  bool put(uint32_t number, const Entry& entry);
  bool make_room(const Entry& entry, uint32_t first, uint32_t second);
  bool visit(uint32_t number, uint32_t parent, uint32_t parent_slot);
  void move_along(uint32_t step, uint32_t slot, uint32_t free_bucket, const Entry& entry);

  unsigned segment_bits_;
  uint32_t buckets_;
  uint64_t base_ = 0;  // number of the segment's first bucket
  std::vector<uint64_t> words_;
  std::vector<Step> steps_;
  std::vector<uint32_t> seen_;  // the search that reached a bucket last
  uint32_t search_ = 0;
};

}  // namespace kinglet::formats
