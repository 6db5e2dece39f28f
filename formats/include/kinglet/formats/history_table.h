#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kinglet/formats/history_keys.h"

namespace kinglet::formats {

/// A static hash table from fingerprints to 64-bit values in memory it does not own: a bucketised cuckoo
/// table, where a key lies in one of two buckets of one segment. The segment is the key's highest bits, so
/// that a table can be built one segment after the other from keys in ascending order.
/// docs/formats/history.md has the layout.
///
/// A look-up reads one bucket of 64 bytes, or two: one or two cache lines. Whatever the bytes are, it reads
/// only inside the table and ends (the shape was checked when the file was opened). Immutable: any thread may
/// read it.
class FingerprintTable {
 public:
  static constexpr size_t kBucketBytes = 64;
  static constexpr size_t kSlots = 4;  // a bucket: 4 keys, then their 4 values
  static constexpr unsigned kMaxSegmentBits = 14;

  struct StashEntry {
    Fingerprint key;
    uint64_t value;
  };

  /// The two buckets where a key may lie; the same one twice for some keys.
  struct Place {
    const std::byte* first;
    const std::byte* second;
  };

  struct Shape {
    unsigned segment_bits = 0;         // 2^segment_bits segments, at most kMaxSegmentBits
    uint32_t buckets_per_segment = 0;  // 0: the table is empty
    uint64_t stash_entries = 0;        // keys that found no room in their buckets: hardly ever any
  };

  FingerprintTable() = default;
  /// `buckets` holds buckets_per_segment << segment_bits buckets, `stash` is sorted by key.
  FingerprintTable(const Shape& shape, const std::byte* buckets, const std::byte* stash) noexcept {
    if (shape.buckets_per_segment != 0) {
      shape_ = shape;
      buckets_ = buckets;
      stash_ = stash;
    }
  }

  Place locate(Fingerprint key) const noexcept {
    const Buckets at = buckets_of(key, shape_.segment_bits, shape_.buckets_per_segment);
    return {buckets_ + at.first * kBucketBytes, buckets_ + at.second * kBucketBytes};
  }

  /// Asks for both buckets, so that the cache misses of many keys overlap.
  static void prefetch(const Place& place) noexcept {
    __builtin_prefetch(place.first);
    __builtin_prefetch(place.second);
  }

  /// The key's value, or 0 if it is not in the table.
  uint64_t read(Fingerprint key, const Place& place) const noexcept {
    uint64_t value = 0;
    if (find_in_bucket(place.first, key, value) || find_in_bucket(place.second, key, value)) return value;
    return shape_.stash_entries == 0 ? 0 : find_in_stash(key);
  }

  /// Numbers of a key's two buckets, counted over all segments.
  struct Buckets {
    uint64_t first;
    uint64_t second;
  };
  static Buckets buckets_of(Fingerprint key, unsigned segment_bits, uint32_t buckets_per_segment) noexcept {
    const uint64_t segment = (key >> 1) >> (63 - segment_bits);
    const uint64_t base = segment * buckets_per_segment;
    // The low half chooses the first bucket; a product in which every bit below has a say, the second.
    const uint64_t mixed = key * 0x9E3779B97F4A7C15U;
    return {base + (((key & 0xFFFFFFFFU) * buckets_per_segment) >> 32),
            base + (((mixed >> 32) * buckets_per_segment) >> 32)};
  }

 private:
  alignas(kBucketBytes) static constexpr std::byte kEmptyBucket[kBucketBytes] = {};

  static bool find_in_bucket(const std::byte* bucket, Fingerprint key, uint64_t& value) noexcept {
    uint64_t words[2 * kSlots];
    std::memcpy(words, bucket, sizeof words);
    for (size_t slot = 0; slot < kSlots; ++slot) {
      if (words[slot] == key) {
        value = words[kSlots + slot];
        return true;
      }
    }
    return false;
  }

  uint64_t find_in_stash(Fingerprint key) const noexcept {
    uint64_t low = 0;
    uint64_t high = shape_.stash_entries;
    while (low < high) {
      const uint64_t middle = low + (high - low) / 2;
      StashEntry entry;
      std::memcpy(&entry, stash_ + middle * sizeof entry, sizeof entry);
      if (entry.key == key) return entry.value;
      if (entry.key < key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return 0;
  }

  Shape shape_{0, 1, 0};
  const std::byte* buckets_ = kEmptyBucket;
  const std::byte* stash_ = nullptr;
};

}  // namespace kinglet::formats
