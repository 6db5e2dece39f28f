#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "kinglet/formats/row.h"

namespace kinglet::test {

/// A row that owns all it holds; links and domains with their text.
struct OwnedRow {
  std::vector<uint32_t> tokens;
  std::vector<std::string> hashtags;
  std::vector<std::string> links;
  std::vector<std::string> domains;
  std::vector<std::string> media;
  std::string tweet_id;
  std::string tweet_type;
  std::string language;
  std::string author_id;
  std::string reader_id;
  int64_t tweet_timestamp = 0;
  int64_t author_account_creation = 0;
  int64_t reader_account_creation = 0;
  uint64_t author_follower_count = 0;
  uint64_t author_following_count = 0;
  uint64_t reader_follower_count = 0;
  uint64_t reader_following_count = 0;
  bool author_is_verified = false;
  bool reader_is_verified = false;
  bool engagee_follows_engager = false;
  bool has_labels = false;
  /// Indexed by Reaction.
  std::array<int64_t, kReactions> reaction_timestamps{};
};

/// The row's fields as the format writes them: 20, or 24 with labels.
std::vector<std::string> fields_of(const OwnedRow& row);
std::string join(const std::vector<std::string>& parts, char separator);
std::vector<std::string> split(std::string_view text, char separator);
/// The row's line, without its end.
std::string line_of(const OwnedRow& row);

/// The row of a line by docs/formats/rows.md, or nothing if it must be refused. Splits and copies; shares no
/// code with the parser.
std::optional<OwnedRow> parse_plainly(const std::string& line);

/// What differs between a parsed row and an owned one: a field's name, or "" if they are equal.
std::string difference(const Row& row, const OwnedRow& expected);

/// A row that the format allows, at its limits now and then. The same generator state gives the same row
/// everywhere.
OwnedRow random_row(std::mt19937_64& random);

}  // namespace kinglet::test
