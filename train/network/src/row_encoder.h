#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kinglet/feature_names.h"
#include "kinglet/features/history_values.h"
#include "kinglet/formats/row.h"

#include "languages.h"
#include "row_cache.h"
#include "token_table.h"

namespace kinglet::train {

/// Rows with labels -> what the cache stores, with the history that each may see.
class RowEncoder {
 public:
  /// Both must outlive the encoder.
  RowEncoder(const TokenTable& table, const Languages& languages) : table_(table), languages_(languages) {}

  /// Valid until the next call.
  const CachedRow& encode(const Row& row, const features::HistorySource& source);

  /// Tokens seen so far, without the first and the last of each tweet, and how many of them the table
  /// knows.
  uint64_t tokens() const noexcept { return tokens_seen_; }
  uint64_t known_tokens() const noexcept { return tokens_known_; }

 private:
  const TokenTable& table_;
  const Languages& languages_;
  uint64_t tokens_seen_ = 0;
  uint64_t tokens_known_ = 0;
  std::array<double, kAllNumerics> all_{};  // by numeric_names(); those of communities stay 0
  std::array<double, kAllNumerics> not_zero_{};
  std::vector<uint32_t> tokens_;
  CachedRow cached_;
};

/// Bit t of the result: Target t happened.
uint8_t target_bits(const Row& row) noexcept;

}  // namespace kinglet::train
