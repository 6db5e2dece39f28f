#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kinglet/formats/error.h"
#include "kinglet/formats/row.h"

namespace kinglet::formats {

/// The fields of a row by their number (spec section 1, docs/formats/rows.md).
enum class RowField : uint8_t {
  text_tokens,
  hashtags,
  tweet_id,
  present_media,
  present_links,
  present_domains,
  tweet_type,
  language,
  tweet_timestamp,
  engaged_with_user_id,
  engaged_with_user_follower_count,
  engaged_with_user_following_count,
  engaged_with_user_is_verified,
  engaged_with_user_account_creation,
  engaging_user_id,
  engaging_user_follower_count,
  engaging_user_following_count,
  engaging_user_is_verified,
  engaging_user_account_creation,
  engagee_follows_engager,
  reply_timestamp,
  retweet_timestamp,
  retweet_with_comment_timestamp,
  like_timestamp,
  none = 255,  // the line as a whole
};
inline constexpr size_t kRowFields = 24;
inline constexpr size_t kRowFieldsWithoutLabels = 20;

/// The field's name as in the row format; "line" for RowField::none.
std::string_view field_name(RowField field) noexcept;

/// Why a line was refused.
enum class RowFault : uint8_t {
  none,
  empty_line,
  line_too_long,
  control_byte,
  invalid_utf8,
  field_count,
  token,
  too_few_tokens,
  too_many_items,
  id,
  item,
  media,
  tweet_type,
  boolean,
  count,
  timestamp,
  label_timestamp,
};

/// What was expected, in a few words; the text is static.
std::string_view fault_message(RowFault fault) noexcept;

/// Where a line was refused, and why. Plain data: nothing is allocated.
struct RowError {
  RowFault fault = RowFault::none;
  RowField field = RowField::none;
  uint32_t item = 0;    // which item of a list field, from 0
  uint32_t offset = 0;  // the refused bytes' place in the line, from 0
  uint32_t length = 0;  // how many bytes were refused
};

/// One line of text such as "field 10 engaged_with_user_follower_count: expected a count from 0 to
/// 4294967295, got
/// '-5'". `line` is the one that was parsed.
std::string describe(const RowError& error, std::string_view line);

/// Parses one line at a time, each by itself (spec section 1). All memory, 1.25 MiB for the longest lists, is
/// booked and touched by the constructor. One thread at a time; one parser a thread.
class RowParser {
 public:
  RowParser();

  /// Parses `line`, without its line end. Row's views point into `line` and into this parser: they are valid
  /// until the next parse, and while both live. On false, `error` says why and `row` holds nothing of use.
  /// Never allocates, locks, calls the system or reads outside `line`.
  [[nodiscard]] bool parse(std::string_view line, Row& row, RowError& error) noexcept;

  /// The same for callers outside the hot path. Throws Error with describe()'s text.
  void parse(std::string_view line, Row& row);

 private:
  std::unique_ptr<uint32_t[]> tokens_;
  std::unique_ptr<std::string_view[]> hashtags_;
};

struct RowReaderOptions {
  /// How much is read from disk at a time. Any size gives the same rows.
  size_t block_bytes = size_t{1} << 18;
  /// Refuse rows without the 4 label fields.
  bool require_labels = false;
};

/// Streams the rows of files and folders of `part-*` files (in bytewise name order), plain or gzip by
/// content, one input after the other. Memory is bounded by the block and RowLimits::line_bytes, whatever the
/// files hold. An input without a single row is an error, an empty part beside others is not; all rows of one
/// input have labels, or none. Every Error names the file, and the line where there is one. Not thread-safe.
class RowReader {
 public:
  using Options = RowReaderOptions;

  /// Lists the parts and takes their sizes. Throws Error if an input is missing, is neither a file nor a
  /// folder with `part-*` files, or if there is none.
  explicit RowReader(std::vector<std::filesystem::path> inputs, Options options = {});
  RowReader(RowReader&& other) noexcept;
  RowReader& operator=(RowReader&& other) noexcept;
  ~RowReader();

  /// The next row, or false after the last one. The row's views are valid until the next call. Throws Error;
  /// after that the reader is spent and returns false. Allocates when it opens a file, not for a row.
  bool next(Row& row);

  // Where the latest row came from; without meaning before there is one.

  /// Its file.
  const std::string& file() const noexcept;
  /// Its line in that file, from 1.
  uint64_t line() const noexcept;
  /// Its bytes, without the line end; valid until the next call.
  std::string_view text() const noexcept;
  /// Its number over all inputs, from 0 (spec section 2 numbers validation rows so).
  uint64_t row_index() const noexcept;
  /// An Error that names its file and line, for rows that parse but that the caller cannot use.
  Error error_here(std::string_view message) const;

  /// Bytes taken from disk so far, and the size of all inputs on disk (compressed, for gzip).
  uint64_t bytes_read() const noexcept;
  uint64_t total_bytes() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kinglet::formats
