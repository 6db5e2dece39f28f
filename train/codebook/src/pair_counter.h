#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kinglet::codebook {

/// Counts keys (pairs of tokens) in bounded memory: an open-addressed table of 12 bytes a slot. When it would
/// outgrow its bound, the keys with the lowest counts, at least half of all, are forgotten; a key that comes
/// back starts again from zero, so counts are lower bounds from then on. What is kept depends on the counts
/// alone, never on their place. Counts stop at 2^32 - 1. Not thread-safe.
class PairCounter {
 public:
  /// No more than `memory_bytes` are used, forgetting included.
  explicit PairCounter(uint64_t memory_bytes);

  void add(uint64_t key, uint32_t count);
  uint64_t size() const noexcept { return size_; }
  /// How many keys were forgotten so far; one that came back and was forgotten again counts twice.
  uint64_t forgotten() const noexcept { return forgotten_; }

  /// Calls visit(key, count) for each key, in no particular order.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (size_t slot = 0; slot < keys_.size(); ++slot) {
      if (counts_[slot] != 0) visit(keys_[slot], counts_[slot]);
    }
  }

 private:
  size_t slot_of(uint64_t key) const noexcept;
  void make_room();
  void rebuild(size_t slots, uint32_t above);
  uint32_t lower_half() const;

  size_t max_slots_;
  size_t size_ = 0;
  uint64_t forgotten_ = 0;
  std::vector<uint64_t> keys_;
  std::vector<uint32_t> counts_;  // 0: the slot is free
};

}  // namespace kinglet::codebook
