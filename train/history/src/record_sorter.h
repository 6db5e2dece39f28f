#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

#include "sorted_runs.h"

namespace kinglet::history {

/// Sorts distinct records within a memory budget, through the disk where they are more. Not thread-safe.
class RecordSorter {
 public:
  RecordSorter(const std::filesystem::path& output, uint64_t memory_bytes, SortedRuns::Merging merging)
      : capacity_(std::max<size_t>(memory_bytes / sizeof(Record), 1'024)),
        runs_(
            output, memory_bytes / 2,
            [](Record& last, const Record& next) { return last.value == next.value; }, std::move(merging)) {}

  void add(const Record& record) {
    if (buffer_.empty()) buffer_.reserve(capacity_);
    buffer_.push_back(record);
    if (buffer_.size() == capacity_) spill();
  }

  /// One run of distinct records, ascending.
  SortedRuns finish() && {
    spill();
    buffer_ = {};
    runs_.merge();
    return std::move(runs_);
  }

 private:
  void spill() {
    std::sort(buffer_.begin(), buffer_.end());
    buffer_.erase(std::unique(buffer_.begin(), buffer_.end()), buffer_.end());
    runs_.add(buffer_);
    buffer_.clear();
  }

  size_t capacity_;
  std::vector<Record> buffer_;
  SortedRuns runs_;
};

}  // namespace kinglet::history
