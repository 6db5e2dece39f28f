#include "counter_map.h"

#include <algorithm>
#include <utility>

namespace kinglet::history {
namespace {

using formats::Counts;
using formats::Fingerprint;
using formats::PackedCounts;

__extension__ using Wide = unsigned __int128;

constexpr size_t kMaxProbes = 1'024;
constexpr size_t kMinSlots = 4 * kMaxProbes;
constexpr uint64_t kTopBits = [] {
  uint64_t bits = 0;
  for (unsigned c = 0; c < PackedCounts::kCounters; ++c)
    bits |= PackedCounts::one(c) << (PackedCounts::kBits - 1);
  return bits;
}();

void add_packed(Counts& counts, uint64_t packed) {
  const Counts more = PackedCounts::unpack(packed);
  for (size_t r = 0; r < kReactions; ++r) counts.reacted[r] += more.reacted[r];
  counts.none += more.none;
}

bool combine_counters(Record& last, const Record& next) {
  Counts sum = PackedCounts::unpack(last.value);
  add_packed(sum, next.value);
  if (!PackedCounts::fits(sum)) return false;
  last.value = PackedCounts::pack(sum);
  return true;
}

/// Sorts records that are near their places: each moved by less than kMaxProbes, as linear probing left them.
void sort_nearly_sorted(std::span<Record> records) {
  for (size_t i = 1; i < records.size(); ++i) {
    const Record record = records[i];
    size_t at = i;
    for (; at > 0 && record.key < records[at - 1].key; --at) records[at] = records[at - 1];
    records[at] = record;
  }
}

}  // namespace

CounterMap::CounterMap(const std::filesystem::path& output, uint64_t memory_bytes,
                       SortedRuns::Merging merging)
    : max_slots_(std::max<size_t>(memory_bytes / sizeof(Record), kMinSlots)),
      runs_(output, memory_bytes / 4, combine_counters, std::move(merging)) {
  resize(kMinSlots);
}

void CounterMap::resize(size_t slots) {
  slots_.assign(slots, Record{});
  homes_ = slots - kMaxProbes;
  limit_ = homes_ / 5 * 4;
  keys_ = 0;
}

/// The slot grows with the key, so that the table's order is nearly the keys' order.
size_t CounterMap::home(Fingerprint key) const noexcept {
  return static_cast<size_t>((static_cast<Wide>(key) * homes_) >> 64);
}

void CounterMap::add(Fingerprint key, uint64_t increments) {
  __builtin_prefetch(&slots_[home(key)], 1);
  const Record due = std::exchange(pending_[next_pending_], {key, increments});
  next_pending_ = (next_pending_ + 1) % kPending;
  if (due.key != 0) apply(due);
}

/// The key's slot or the free one where it belongs; null if it is too far from home.
Record* CounterMap::slot_of(Fingerprint key) noexcept {
  Record* const first = &slots_[home(key)];
  for (Record* slot = first; slot != first + kMaxProbes; ++slot) {
    if (slot->key == key || slot->key == 0) return slot;
  }
  return nullptr;
}

void CounterMap::apply(const Record& pending) {
  Record* slot = slot_of(pending.key);
  while (slot == nullptr || (slot->key == 0 && keys_ == limit_)) {
    make_room();
    slot = slot_of(pending.key);
  }
  if (slot->key == 0) {
    slot->key = pending.key;
    ++keys_;
  }
  slot->value += pending.value;
  if ((slot->value & kTopBits) != 0) {  // long before a field could overflow
    saturated_.push_back(*slot);
    slot->value = 0;
  }
}

void CounterMap::make_room() {
  if (slots_.size() < max_slots_ && keys_ == limit_) {
    grow();
  } else {
    spill();
  }
}

void CounterMap::grow() {
  const std::vector<Record> old = std::move(slots_);
  resize(std::min(old.size() * 2, max_slots_));
  for (const Record& record : old) {
    if (record.key == 0) continue;
    Record* slot = slot_of(record.key);
    if (slot == nullptr) {  // keys that are not random
      saturated_.push_back(record);
      continue;
    }
    keys_ += slot->key == 0 ? 1 : 0;
    *slot = record;
  }
}

void CounterMap::spill() {
  const auto end =
      std::remove_if(slots_.begin(), slots_.end(), [](const Record& slot) { return slot.value == 0; });
  const std::span<Record> run(slots_.begin(), end);
  sort_nearly_sorted(run);
  runs_.add(run);
  std::sort(saturated_.begin(), saturated_.end());
  runs_.add(saturated_);
  saturated_.clear();
  std::fill(slots_.begin(), slots_.end(), Record{});
  keys_ = 0;
}

SortedRuns CounterMap::finish() && {
  for (const Record& pending : pending_) {
    if (pending.key != 0) apply(pending);
  }
  spill();
  slots_ = {};
  saturated_ = {};
  runs_.merge();
  return std::move(runs_);
}

bool CounterCursor::next(Fingerprint& key, Counts& counts) {
  if (!more_) return false;
  key = ahead_.key;
  counts = {};
  while (more_ && ahead_.key == key) {
    add_packed(counts, ahead_.value);
    more_ = cursor_.next(ahead_);
  }
  return true;
}

}  // namespace kinglet::history
