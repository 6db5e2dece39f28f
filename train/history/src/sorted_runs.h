#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "spill_file.h"

namespace kinglet::history {

struct Record {
  uint64_t key;
  uint64_t value;
  friend bool operator==(const Record&, const Record&) = default;
  friend bool operator<(const Record& a, const Record& b) noexcept {
    return a.key != b.key ? a.key < b.key : a.value < b.value;
  }
};

/// Sorted runs of records in a temporary file, read back as one ascending sequence: an external merge sort's
/// second half. Memory: one buffer a run, `memory_bytes` in all, and at most kMaxRuns runs, beyond which they
/// are merged into one. Not thread-safe.
class SortedRuns {
 public:
  /// Called while runs are merged, for progress: records merged, and records in all.
  using Merging = std::function<void(uint64_t done, uint64_t total)>;
  /// Joins `next` to `last` (the same key) if one record can say both.
  using Combine = bool (*)(Record& last, const Record& next);

  static constexpr size_t kMaxRuns = 256;

  SortedRuns(std::filesystem::path output, uint64_t memory_bytes, Combine combine, Merging merging = {});

  /// Appends records in ascending order.
  void add(std::span<const Record> run);
  /// Leaves at most one run, with combined records.
  void merge();

  uint64_t records() const noexcept;
  uint64_t written_bytes() const noexcept { return written_bytes_; }

  /// Reads all runs in ascending order. The runs must outlive it and stay as they are.
  class Cursor {
   public:
    explicit Cursor(const SortedRuns& runs);
    bool next(Record& record);

   private:
    struct Source {
      uint64_t offset;
      uint64_t left;  // records not yet in the buffer
      std::vector<Record> buffer;
      size_t at;
    };
    bool refill(Source& source);
    bool less(size_t a, size_t b) const {
      return sources_[a].buffer[sources_[a].at] < sources_[b].buffer[sources_[b].at];
    }
    void sift_down(size_t at);

    const SpillFile& file_;
    size_t buffer_records_;
    std::vector<Source> sources_;
    std::vector<size_t> heap_;  // sources by their next record, the least first
  };

 private:
  struct Run {
    uint64_t offset;
    uint64_t records;
  };

  std::filesystem::path output_;
  uint64_t memory_bytes_;
  Combine combine_;
  Merging merging_;
  SpillFile file_;
  std::vector<Run> runs_;
  uint64_t written_bytes_ = 0;
};

}  // namespace kinglet::history
