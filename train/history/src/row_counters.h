#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kinglet/formats/history_keys.h"
#include "kinglet/formats/row.h"

namespace kinglet::history {

/// What one row adds to a history (spec section 2): the same increments under each of its keys.
class RowCounters {
 public:
  /// Valid until the next call.
  void set(const Row& row);

  std::span<const formats::Fingerprint> keys() const noexcept { return keys_; }
  /// PackedCounts with 1 for each reaction, or 1 for "none".
  uint64_t increments() const noexcept { return increments_; }

  formats::Fingerprint author() const noexcept { return author_; }
  formats::Fingerprint reader() const noexcept { return reader_; }

 private:
  formats::Fingerprint author_ = 0;
  formats::Fingerprint reader_ = 0;
  uint64_t increments_ = 0;
  std::vector<formats::Fingerprint> keys_;
};

}  // namespace kinglet::history
