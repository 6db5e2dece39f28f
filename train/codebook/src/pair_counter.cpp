#include "pair_counter.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace kinglet::codebook {
namespace {

constexpr size_t kFirstSlots = size_t{1} << 16;
constexpr size_t kSlotBytes = sizeof(uint64_t) + sizeof(uint32_t);
// Of a slot: the old table and the new one, of the same size when pairs are forgotten.
constexpr size_t kPeakSlotBytes = 2 * kSlotBytes;
constexpr size_t kFillNumerator = 3;
constexpr size_t kFillDenominator = 4;

// The high half of a 128-bit product scatters keys over any number of slots.
size_t scatter(uint64_t key, size_t slots) {
  key ^= key >> 32;
  key *= 0x9E37'79B9'7F4A'7C15U;
  key ^= key >> 29;
  key *= 0xBF58'476D'1CE4'E5B9U;
  __extension__ using Product = unsigned __int128;
  return static_cast<size_t>((Product{key} * slots) >> 64);
}

}  // namespace

PairCounter::PairCounter(uint64_t memory_bytes)
    : max_slots_(std::max<uint64_t>(memory_bytes / kPeakSlotBytes, 4)),
      keys_(std::min(kFirstSlots, max_slots_)),
      counts_(keys_.size()) {}

// The key's slot, or the free one where it belongs.
size_t PairCounter::slot_of(uint64_t key) const noexcept {
  size_t slot = scatter(key, keys_.size());
  while (counts_[slot] != 0 && keys_[slot] != key) {
    if (++slot == keys_.size()) slot = 0;
  }
  return slot;
}

void PairCounter::add(uint64_t key, uint32_t count) {
  size_t slot = slot_of(key);
  if (counts_[slot] == 0) {
    if ((size_ + 1) * kFillDenominator > keys_.size() * kFillNumerator) {
      make_room();
      slot = slot_of(key);
    }
    keys_[slot] = key;
    ++size_;
  }
  constexpr uint32_t kMost = std::numeric_limits<uint32_t>::max();
  counts_[slot] = counts_[slot] > kMost - count ? kMost : counts_[slot] + count;
}

void PairCounter::make_room() {
  if (keys_.size() < max_slots_) {
    rebuild(std::min(2 * keys_.size(), max_slots_), 0);
  } else {
    rebuild(max_slots_, lower_half());
  }
}

// The lowest count that at least half of the keys do not exceed.
uint32_t PairCounter::lower_half() const {
  std::vector<uint32_t> counts;
  counts.reserve(size_);
  for (const uint32_t count : counts_) {
    if (count != 0) counts.push_back(count);
  }
  const auto middle = counts.begin() + static_cast<std::ptrdiff_t>((counts.size() - 1) / 2);
  std::nth_element(counts.begin(), middle, counts.end());
  return *middle;
}

// Keys with counts of `above` or less are dropped.
void PairCounter::rebuild(size_t slots, uint32_t above) {
  const auto old_keys = std::exchange(keys_, std::vector<uint64_t>(slots));
  const auto old_counts = std::exchange(counts_, std::vector<uint32_t>(slots));
  const size_t old_size = std::exchange(size_, 0);
  for (size_t old = 0; old < old_keys.size(); ++old) {
    if (old_counts[old] <= above) continue;
    const size_t slot = slot_of(old_keys[old]);
    keys_[slot] = old_keys[old];
    counts_[slot] = old_counts[old];
    ++size_;
  }
  forgotten_ += old_size - size_;
}

}  // namespace kinglet::codebook
