#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "kinglet/formats/error.h"
#include "kinglet/formats/row.h"
#include "kinglet/formats/row_reader.h"
#include "kinglet/metrics/evaluated_rows.h"

namespace kinglet::metrics {

/// The first line of a scores file.
inline constexpr std::string_view kScoresHeader =
    "tweet_id,engaging_user_id,reply,retweet,retweet_with_comment,like";

/// One line of a scores file; the ids are valid until the next one is read.
struct Score {
  std::string_view tweet_id;
  std::string_view reader_id;
  /// Indexed by Reaction, each in [0, 1].
  std::array<float, kReactions> probabilities{};
};

/// Streams the CSV that `kinglet score` writes, from a file or a folder of `part-*` files in bytewise name
/// order, each with its header. Ids may be quoted (RFC 4180), lines may end with CR LF. Memory is bounded
/// whatever the file holds. Not thread-safe.
class ScoresReader {
 public:
  /// Throws Error if the path is neither a file nor a folder with parts.
  explicit ScoresReader(const std::filesystem::path& path);
  ScoresReader(ScoresReader&&) noexcept;
  ScoresReader& operator=(ScoresReader&&) noexcept;
  ~ScoresReader();

  /// The next line, or false after the last. Throws Error with file, line and column.
  bool next(Score& score);
  /// An Error that names the file and the line of the latest score (the line after the last, once next() was
  /// false).
  Error error_here(std::string_view message) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A scores file read beside the rows it belongs to.
class MatchedScores {
 public:
  explicit MatchedScores(const std::filesystem::path& path) : reader_(path) {}

  /// Takes the score of the row that `rows` has just returned. Throws Error if the file has none left, or one
  /// of another tweet or reader.
  void add(const Row& row, const formats::RowReader& rows);
  /// To call after the last row. Throws Error if scores are left.
  void finish(const formats::RowReader& rows);
  const Probabilities& probabilities() const noexcept { return probabilities_; }

 private:
  ScoresReader reader_;
  Probabilities probabilities_;
};

}  // namespace kinglet::metrics
