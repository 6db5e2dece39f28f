#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kinglet/formats/row.h"

namespace kinglet::metrics {

/// What the metrics need of the rows, a column each: 12 bytes a row, and what the distinct tweets, authors
/// and languages take. Tweets, authors and languages are numbered from 0 as they first appear. Not
/// thread-safe while rows are added.
class EvaluatedRows {
 public:
  EvaluatedRows();
  EvaluatedRows(EvaluatedRows&&) noexcept;
  EvaluatedRows& operator=(EvaluatedRows&&) noexcept;
  ~EvaluatedRows();

  /// Throws Error for a row without labels, and beyond 2^30 rows.
  void add(const Row& row);

  size_t rows() const noexcept { return labels_.size(); }
  size_t tweets() const noexcept { return tweets_; }
  bool positive(size_t row, Reaction reaction) const noexcept {
    return (labels_[row] >> static_cast<unsigned>(reaction) & 1) != 0;
  }
  uint32_t tweet(size_t row) const noexcept { return tweet_[row]; }
  uint32_t author(size_t row) const noexcept { return author_[row]; }
  uint32_t language(size_t row) const noexcept { return language_[row]; }
  /// Each author's follower count in its last row.
  std::span<const uint32_t> author_followers() const noexcept { return followers_; }
  /// Each language's name.
  std::span<const std::string> languages() const noexcept { return languages_; }

 private:
  struct Names;
  std::unique_ptr<Names> names_;
  std::vector<uint8_t> labels_;  // bit r: Reaction r happened
  std::vector<uint32_t> tweet_, author_;
  std::vector<uint16_t> language_;
  std::vector<uint32_t> followers_;
  std::vector<std::string> languages_;
  size_t tweets_ = 0;
};

/// One predictor's probabilities of the evaluated rows, in row order: 16 bytes a row. Not thread-safe while
/// rows are added.
class Probabilities {
 public:
  /// Indexed by Reaction. Throws Error for a probability outside [0, 1].
  void add(const std::array<float, kReactions>& probabilities);

  size_t rows() const noexcept { return columns_[0].size(); }
  std::span<const float> of(Reaction reaction) const noexcept {
    return columns_[static_cast<size_t>(reaction)];
  }

 private:
  std::array<std::vector<float>, kReactions> columns_;
};

}  // namespace kinglet::metrics
