#include "history_segment.h"

#include <algorithm>

#include "kinglet/formats/history_counts.h"

namespace kinglet::formats {
namespace {

constexpr size_t kSlots = FingerprintTable::kSlots;
// At a load of 0.93 a search ends after a few dozen steps; this many mean that the keys are not random.
constexpr size_t kMaxSteps = 2'048;

bool pinned(uint64_t value) {
  return (value & PackedCounts::kLarge) != 0;
}

}  // namespace

HistorySegment::HistorySegment(unsigned segment_bits, uint32_t buckets)
    : segment_bits_(segment_bits), buckets_(buckets), words_(size_t{buckets} * 2 * kSlots), seen_(buckets) {
  steps_.reserve(kMaxSteps);
}

FingerprintTable::Buckets HistorySegment::buckets_of(Fingerprint key) const {
  const FingerprintTable::Buckets at = FingerprintTable::buckets_of(key, segment_bits_, buckets_);
  return {at.first - base_, at.second - base_};
}

bool HistorySegment::put(uint32_t number, const Entry& entry) {
  uint64_t* words = bucket(number);
  for (size_t slot = 0; slot < kSlots; ++slot) {
    if (words[slot] != 0) continue;
    words[slot] = entry.key;
    words[kSlots + slot] = entry.value;
    return true;
  }
  return false;
}

void HistorySegment::place(std::span<const Entry> entries, std::vector<Entry>& stash) {
  std::fill(words_.begin(), words_.end(), 0);
  if (entries.empty()) return;
  const uint64_t segment = (entries.front().key >> 1) >> (63 - segment_bits_);
  base_ = segment * buckets_;
  for (const bool large : {true, false}) {
    for (const Entry& entry : entries) {
      if (pinned(entry.value) != large) continue;
      const FingerprintTable::Buckets at = buckets_of(entry.key);
      const auto first = static_cast<uint32_t>(at.first);
      const auto second = static_cast<uint32_t>(at.second);
      if (!put(first, entry) && !put(second, entry) && !make_room(entry, first, second))
        stash.push_back(entry);
    }
  }
}

bool HistorySegment::visit(uint32_t number, uint32_t parent, uint32_t parent_slot) {
  if (seen_[number] == search_ || steps_.size() == kMaxSteps) return false;
  seen_[number] = search_;
  steps_.push_back({number, parent, parent_slot});
  return true;
}

/// Breadth first from both buckets of the entry: the first free slot found is at the end of a shortest path.
/// A bucket is visited once, so no path crosses itself.
bool HistorySegment::make_room(const Entry& entry, uint32_t first, uint32_t second) {
  ++search_;
  steps_.clear();
  visit(first, 0, 0);
  visit(second, 1, 0);
  for (uint32_t step = 0; step < steps_.size(); ++step) {
    const uint32_t number = steps_[step].bucket;
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
      const uint64_t* words = bucket(number);
      if (pinned(words[kSlots + slot])) continue;
      const FingerprintTable::Buckets at = buckets_of(words[slot]);
      const auto other = static_cast<uint32_t>(at.first == number ? at.second : at.first);
      if (!visit(other, step, slot)) continue;
      if (std::find(bucket(other), bucket(other) + kSlots, uint64_t{0}) == bucket(other) + kSlots) continue;
      move_along(step, slot, other, entry);
      return true;
    }
  }
  return false;
}

void HistorySegment::move_along(uint32_t step, uint32_t slot, uint32_t free_bucket, const Entry& entry) {
  uint64_t* from = bucket(steps_[step].bucket);
  put(free_bucket, {from[slot], from[kSlots + slot]});
  while (steps_[step].parent != step) {
    const Step& here = steps_[step];
    const uint64_t* source = bucket(steps_[here.parent].bucket);
    from[slot] = source[here.parent_slot];
    from[kSlots + slot] = source[kSlots + here.parent_slot];
    slot = here.parent_slot;
    step = here.parent;
    from = bucket(steps_[step].bucket);
  }
  from[slot] = entry.key;
  from[kSlots + slot] = entry.value;
}

}  // namespace kinglet::formats
