#include <algorithm>
#include <array>

#include "kinglet/formats/row_reader.h"

namespace kinglet::formats {
namespace {

constexpr std::array<std::string_view, kRowFields> kNames = {
    "text_tokens",
    "hashtags",
    "tweet_id",
    "present_media",
    "present_links",
    "present_domains",
    "tweet_type",
    "language",
    "tweet_timestamp",
    "engaged_with_user_id",
    "engaged_with_user_follower_count",
    "engaged_with_user_following_count",
    "engaged_with_user_is_verified",
    "engaged_with_user_account_creation",
    "engaging_user_id",
    "engaging_user_follower_count",
    "engaging_user_following_count",
    "engaging_user_is_verified",
    "engaging_user_account_creation",
    "engagee_follows_engager",
    "reply_timestamp",
    "retweet_timestamp",
    "retweet_with_comment_timestamp",
    "like_timestamp",
};

// The messages below spell these out.
static_assert(RowLimits::line_bytes == 1'048'576 && RowLimits::id_bytes == 256 &&
              RowLimits::list_items == 65'536);
static_assert(RowLimits::token_id == 16'777'215 && RowLimits::count == 4'294'967'295);
static_assert(RowLimits::timestamp == 253'402'300'799);

constexpr size_t kQuotedBytes = 60;

// The refused text between quotes, cut to a readable length (never inside a UTF-8 sequence), tabs made
// visible.
std::string quote(std::string_view text) {
  size_t cut = text.size();
  if (cut > kQuotedBytes) {
    cut = kQuotedBytes;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
  }
  std::string quoted = "'";
  for (const char byte : text.substr(0, cut)) {
    if (byte == '\t') {
      quoted += "\\t";
    } else {
      quoted += byte;
    }
  }
  if (cut < text.size()) quoted += "...";
  return quoted += "'";
}

std::string byte_text(const RowError& error, std::string_view line) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(line[error.offset]);
  std::string text = "0x";
  text += kDigits[byte >> 4];
  text += kDigits[byte & 15];
  if (byte == '\r') text += ", a carriage return: lines end with \\n alone";
  return text += " (byte " + std::to_string(error.offset) + " of the line, from 0)";
}

size_t count_fields(std::string_view line) {
  return static_cast<size_t>(std::count(line.begin(), line.end(), '\x01')) + 1;
}

bool is_list(RowField field) {
  return field == RowField::text_tokens || field == RowField::hashtags || field == RowField::present_media ||
         field == RowField::present_links || field == RowField::present_domains;
}

std::string describe_field(const RowError& error, std::string_view line) {
  std::string text = "field " + std::to_string(static_cast<unsigned>(error.field)) + " ";
  text.append(field_name(error.field)).append(": ");
  if (is_list(error.field)) text += "item " + std::to_string(error.item) + ": ";
  return text.append(fault_message(error.fault))
      .append(", got ")
      .append(quote(line.substr(error.offset, error.length)));
}

}  // namespace

std::string_view field_name(RowField field) noexcept {
  const auto index = static_cast<size_t>(field);
  return index < kNames.size() ? kNames[index] : "line";
}

std::string_view fault_message(RowFault fault) noexcept {
  switch (fault) {
    case RowFault::none:
      return "no error";
    case RowFault::empty_line:
      return "expected a row, got an empty line";
    case RowFault::line_too_long:
      return "expected a line of at most 1048576 bytes";
    case RowFault::control_byte:
      return "expected no control bytes but the separators 0x01 and tab";
    case RowFault::invalid_utf8:
      return "expected UTF-8";
    case RowFault::field_count:
      return "expected 20 fields, or 24 with labels";
    case RowFault::token:
      return "expected a token id from 0 to 16777215";
    case RowFault::too_few_tokens:
      return "expected at least 2 tokens, [CLS] and [SEP]";
    case RowFault::too_many_items:
      return "expected at most 65536 items";
    case RowFault::id:
      return "expected an id of 1 to 256 bytes without a tab";
    case RowFault::item:
      return "expected an item of 1 to 256 bytes";
    case RowFault::media:
      return "expected Photo, Video or GIF";
    case RowFault::tweet_type:
      return "expected TopLevel, Retweet or Quote";
    case RowFault::boolean:
      return "expected true or false";
    case RowFault::count:
      return "expected a count from 0 to 4294967295";
    case RowFault::timestamp:
      return "expected Unix seconds from 0 to 253402300799";
    case RowFault::label_timestamp:
      return "expected nothing or Unix seconds from 1 to 253402300799";
  }
  return "unknown error";
}

std::string describe(const RowError& error, std::string_view line) {
  if (error.field != RowField::none) return describe_field(error, line);
  std::string text(fault_message(error.fault));
  switch (error.fault) {
    case RowFault::control_byte:
    case RowFault::invalid_utf8:
      return text.append(", got ").append(byte_text(error, line));
    case RowFault::field_count:
      return text.append(", got ").append(std::to_string(count_fields(line)));
    default:
      return text;
  }
}

}  // namespace kinglet::formats
