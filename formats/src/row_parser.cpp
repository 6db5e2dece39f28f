#include <cstring>
#include <limits>

#include "kinglet/formats/row_reader.h"

#include "row_bytes.h"
#include "row_tokens.h"

namespace kinglet::formats {
namespace {

constexpr char kFieldSeparator = '\x01';
constexpr char kItemSeparator = '\t';

constexpr size_t decimal_digits(uint64_t value) noexcept {
  size_t digits = 1;
  while (value >= 10) {
    value /= 10;
    ++digits;
  }
  return digits;
}

// Plain decimal digits, no more than `limit` has; leading zeros are taken.
template <uint64_t limit>
bool parse_decimal(std::string_view text, uint64_t& value) noexcept {
  constexpr size_t digits = decimal_digits(limit);
  static_assert(digits < std::numeric_limits<uint64_t>::digits10, "the sum below must not overflow");
  if (text.empty() || text.size() > digits) return false;
  uint64_t sum = 0;
  for (const char byte : text) {
    const unsigned digit = static_cast<unsigned char>(byte) - unsigned{'0'};
    if (digit > 9) return false;
    sum = sum * 10 + digit;
  }
  value = sum;
  return sum <= limit;
}

bool parse_timestamp(std::string_view text, int64_t& seconds) noexcept {
  uint64_t value = 0;
  if (!parse_decimal<RowLimits::timestamp>(text, value)) return false;
  seconds = static_cast<int64_t>(value);
  return true;
}

const char* find(const char* begin, const char* end, char byte) noexcept {
  const void* found = std::memchr(begin, byte, static_cast<size_t>(end - begin));
  return found != nullptr ? static_cast<const char*>(found) : end;
}

std::string_view between(const char* begin, const char* end) noexcept {
  return {begin, static_cast<size_t>(end - begin)};
}

// A line cut into its fields, and one method for each kind of field. Each returns false after noting why.
class Fields {
 public:
  Fields(std::string_view line, RowError& error) noexcept : line_(line), error_(error) {}

  bool split() noexcept {
    const char* const end = line_.data() + line_.size();
    const char* at = line_.data();
    for (count_ = 0; count_ < kRowFields;) {
      const char* const behind = find(at, end, kFieldSeparator);
      texts_[count_++] = between(at, behind);
      if (behind == end) return count_ == kRowFields || count_ == kRowFieldsWithoutLabels || refuse_count();
      at = behind + 1;
    }
    return refuse_count();
  }

  bool has_labels() const noexcept { return count_ == kRowFields; }

  bool tokens(uint32_t* buffer, std::span<const uint32_t>& out) noexcept {
    constexpr auto field = RowField::text_tokens;
    static_assert(kRowFieldsWithoutLabels - 1 >= kTokenPadding,
                  "the separators behind field 0 are its padding");
    const std::string_view text = text_of(field);
    const TokenList list = parse_tokens(text, {buffer, RowLimits::list_items});
    if (list.status != TokenList::Status::good) {
      const char* const item = text.data() + list.offset;
      const bool bad = list.status == TokenList::Status::bad_token;
      return refuse(bad ? RowFault::token : RowFault::too_many_items, field,
                    between(item, find(item, text.data() + text.size(), kItemSeparator)), list.count);
    }
    if (list.count < 2) return refuse(RowFault::too_few_tokens, field, text);
    out = {buffer, list.count};
    return true;
  }

  // Calls use(item, index) for each item of a list; an empty field is a list of none. Stops where use returns
  // a fault.
  template <typename Use>
  bool items(RowField field, Use&& use) noexcept {
    const std::string_view text = text_of(field);
    if (text.empty()) return true;
    const char* const end = text.data() + text.size();
    const char* at = text.data();
    for (size_t index = 0;; ++index) {
      const char* const behind = find(at, end, kItemSeparator);
      const std::string_view item = between(at, behind);
      const RowFault fault = index < RowLimits::list_items ? use(item, index) : RowFault::too_many_items;
      if (fault != RowFault::none) return refuse(fault, field, item, index);
      if (behind == end) return true;
      at = behind + 1;
    }
  }

  bool hashtags(std::string_view* buffer, std::span<const std::string_view>& out) noexcept {
    size_t count = 0;
    const bool good = items(RowField::hashtags, [&](std::string_view item, size_t index) {
      buffer[index] = item;
      count = index + 1;
      return item_fault(item);
    });
    out = {buffer, count};
    return good;
  }

  bool count_items(RowField field, uint32_t& out) noexcept {
    return items(field, [&](std::string_view item, size_t index) {
      out = static_cast<uint32_t>(index) + 1;
      return item_fault(item);
    });
  }

  bool media(Row& row) noexcept {
    return items(RowField::present_media, [&](std::string_view item, size_t) {
      if (item == "Photo") {
        row.has_photo = true;
      } else if (item == "Video") {
        row.has_video = true;
      } else if (item == "GIF") {
        row.has_gif = true;
      } else {
        return RowFault::media;
      }
      return RowFault::none;
    });
  }

  bool id(RowField field, std::string_view& out) noexcept {
    out = text_of(field);
    const bool good = !out.empty() && out.size() <= RowLimits::id_bytes &&
                      std::memchr(out.data(), kItemSeparator, out.size()) == nullptr;
    return good || refuse(RowFault::id, field, out);
  }

  bool type(TweetType& out) noexcept {
    const std::string_view text = text_of(RowField::tweet_type);
    if (text == "TopLevel") {
      out = TweetType::top_level;
    } else if (text == "Retweet") {
      out = TweetType::retweet;
    } else if (text == "Quote") {
      out = TweetType::quote;
    } else {
      return refuse(RowFault::tweet_type, RowField::tweet_type, text);
    }
    return true;
  }

  bool boolean(RowField field, bool& out) noexcept {
    const std::string_view text = text_of(field);
    out = text == "true";
    return out || text == "false" || refuse(RowFault::boolean, field, text);
  }

  bool count(RowField field, uint64_t& out) noexcept {
    const std::string_view text = text_of(field);
    return parse_decimal<RowLimits::count>(text, out) || refuse(RowFault::count, field, text);
  }

  bool timestamp(RowField field, int64_t& out) noexcept {
    const std::string_view text = text_of(field);
    return parse_timestamp(text, out) || refuse(RowFault::timestamp, field, text);
  }

  // 0 would read as "did not happen", which is an empty field's meaning alone.
  bool label(RowField field, Reaction reaction, Row& row) noexcept {
    const std::string_view text = text_of(field);
    if (text.empty()) return true;
    int64_t& seconds = row.reaction_timestamps[static_cast<size_t>(reaction)];
    return (parse_timestamp(text, seconds) && seconds != 0) || refuse(RowFault::label_timestamp, field, text);
  }

 private:
  static RowFault item_fault(std::string_view item) noexcept {
    return !item.empty() && item.size() <= RowLimits::id_bytes ? RowFault::none : RowFault::item;
  }

  std::string_view text_of(RowField field) const noexcept { return texts_[static_cast<size_t>(field)]; }

  bool refuse(RowFault fault, RowField field, std::string_view text, size_t item = 0) noexcept {
    error_ = {fault, field, static_cast<uint32_t>(item), static_cast<uint32_t>(text.data() - line_.data()),
              static_cast<uint32_t>(text.size())};
    return false;
  }

  bool refuse_count() noexcept { return refuse(RowFault::field_count, RowField::none, line_); }

  std::string_view line_;
  RowError& error_;
  std::array<std::string_view, kRowFields> texts_;
  size_t count_ = 0;
};

bool refuse_line(RowFault fault, size_t offset, size_t length, RowError& error) noexcept {
  error = {fault, RowField::none, 0, static_cast<uint32_t>(offset), static_cast<uint32_t>(length)};
  return false;
}

bool check_line(std::string_view line, RowError& error) noexcept {
  if (line.empty()) return refuse_line(RowFault::empty_line, 0, 0, error);
  if (line.size() > RowLimits::line_bytes) {
    return refuse_line(RowFault::line_too_long, RowLimits::line_bytes, 0, error);
  }
  const size_t refused = find_refused_byte(line);
  if (refused == line.size()) return true;
  const bool control = is_control_byte(static_cast<unsigned char>(line[refused]));
  return refuse_line(control ? RowFault::control_byte : RowFault::invalid_utf8, refused, 1, error);
}

}  // namespace

RowParser::RowParser()
    : tokens_(std::make_unique<uint32_t[]>(RowLimits::list_items)),
      hashtags_(std::make_unique<std::string_view[]>(RowLimits::list_items)) {}

bool RowParser::parse(std::string_view line, Row& row, RowError& error) noexcept {
  using enum RowField;
  row = Row{};
  Fields fields(line, error);
  if (!check_line(line, error) || !fields.split()) return false;
  row.has_labels = fields.has_labels();
  return fields.tokens(tokens_.get(), row.tokens) &&                                           //
         fields.hashtags(hashtags_.get(), row.hashtags) &&                                     //
         fields.id(tweet_id, row.tweet_id) &&                                                  //
         fields.media(row) &&                                                                  //
         fields.count_items(present_links, row.link_count) &&                                  //
         fields.count_items(present_domains, row.domain_count) &&                              //
         fields.type(row.tweet_type) &&                                                        //
         fields.id(language, row.language) &&                                                  //
         fields.timestamp(tweet_timestamp, row.tweet_timestamp) &&                             //
         fields.id(engaged_with_user_id, row.author_id) &&                                     //
         fields.count(engaged_with_user_follower_count, row.author_follower_count) &&          //
         fields.count(engaged_with_user_following_count, row.author_following_count) &&        //
         fields.boolean(engaged_with_user_is_verified, row.author_is_verified) &&              //
         fields.timestamp(engaged_with_user_account_creation, row.author_account_creation) &&  //
         fields.id(engaging_user_id, row.reader_id) &&                                         //
         fields.count(engaging_user_follower_count, row.reader_follower_count) &&              //
         fields.count(engaging_user_following_count, row.reader_following_count) &&            //
         fields.boolean(engaging_user_is_verified, row.reader_is_verified) &&                  //
         fields.timestamp(engaging_user_account_creation, row.reader_account_creation) &&      //
         fields.boolean(RowField::engagee_follows_engager, row.engagee_follows_engager) &&     //
         (!row.has_labels ||                                                                   //
          (fields.label(reply_timestamp, Reaction::reply, row) &&                              //
           fields.label(retweet_timestamp, Reaction::retweet, row) &&                          //
           fields.label(retweet_with_comment_timestamp, Reaction::quote, row) &&               //
           fields.label(like_timestamp, Reaction::like, row)));
}

void RowParser::parse(std::string_view line, Row& row) {
  RowError error;
  if (!parse(line, row, error)) throw Error(describe(error, line));
}

}  // namespace kinglet::formats
