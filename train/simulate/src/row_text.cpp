#include "src/row_text.h"

#include <charconv>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace kinglet::simulate {
namespace {

constexpr char kField = '\x01';
constexpr char kItem = '\t';

// The order of the label fields, and of the columns of a scores file.
constexpr Reaction kFieldOrder[] = {Reaction::reply, Reaction::retweet, Reaction::quote, Reaction::like};

void append_number(int64_t number, std::string& text) {
  char digits[20];
  const char* end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  text.append(digits, static_cast<size_t>(end - digits));
}

void append_number(uint64_t number, std::string& text) {
  append_number(static_cast<int64_t>(number), text);
}

void append_hexadecimal(uint64_t value, std::string& text) {
  char digits[16];
  for (char& digit : digits) {
    digit = "0123456789ABCDEF"[value >> 60];
    value <<= 4;
  }
  text.append(digits, sizeof digits);
}

std::string_view type_name(TweetType type) {
  constexpr std::string_view kNames[] = {"TopLevel", "Retweet", "Quote"};
  return kNames[static_cast<size_t>(type)];
}

std::string_view as_field(bool value) {
  return value ? "true" : "false";
}

void append_media(const Tweet& tweet, std::string& text) {
  for (uint32_t i = 0; i < tweet.photos; ++i) text += i == 0 ? "Photo" : "\tPhoto";
  if (tweet.video) text += "Video";
  if (tweet.gif) text += "GIF";
}

}  // namespace

void RowText::append_id(Purpose purpose, uint64_t number, std::string& text) const {
  const uint64_t high = key(seed_, purpose, number);
  append_hexadecimal(high, text);
  append_hexadecimal(mix(high), text);
}

void RowText::append_attachments(const Tweet& tweet, std::string& text) const {
  append_media(tweet, text);
  text += kField;
  if (tweet.link) append_id(Purpose::link_id, tweet.number, text);
  text += kField;
  if (tweet.link) append_id(Purpose::domain_id, tweet.domain, text);
  text += kField;
}

void RowText::append_account(const Account& account, uint32_t day, std::string& text) const {
  append_id(Purpose::user_id, account.user, text);
  text += kField;
  append_number(account.followers_on(day), text);
  text += kField;
  append_number(account.following, text);
  text += kField;
  text += as_field(account.verified);
  text += kField;
  append_number(account.created, text);
  text += kField;
}

void RowText::append_tweet(const Tweet& tweet, std::string& text) const {
  for (uint32_t i = 0; i < tweet.token_count; ++i) {
    if (i > 0) text += kItem;
    append_number(uint64_t{tweet.tokens[i]}, text);
  }
  text += kField;
  for (uint32_t i = 0; i < tweet.hashtag_count; ++i) {
    if (i > 0) text += kItem;
    append_id(Purpose::hashtag_id, tweet.hashtags[i], text);
  }
  text += kField;
  append_id(Purpose::tweet_id, tweet.number, text);
  text += kField;
  append_attachments(tweet, text);
  text += type_name(tweet.type);
  text += kField;
  append_id(Purpose::language_id, tweet.language, text);
  text += kField;
  append_number(tweet.time, text);
  text += kField;
  append_account(tweet.author, tweet.day, text);
}

void RowText::append_reader(const Account& reader, uint32_t day, bool follows,
                            const std::array<int64_t, kReactions>& timestamps, std::string& text) const {
  append_account(reader, day, text);
  text += as_field(follows);
  for (const Reaction reaction : kFieldOrder) {
    text += kField;
    const int64_t timestamp = timestamps[static_cast<size_t>(reaction)];
    if (timestamp != 0) append_number(timestamp, text);
  }
  text += '\n';
}

void RowText::append_truth(const Tweet& tweet, const Account& reader,
                           const std::array<float, kReactions>& probabilities, std::string& text) const {
  append_id(Purpose::tweet_id, tweet.number, text);
  text += ',';
  append_id(Purpose::user_id, reader.user, text);
  for (const Reaction reaction : kFieldOrder) {
    fmt::format_to(std::back_inserter(text), ",{:.9g}", probabilities[static_cast<size_t>(reaction)]);
  }
  text += '\n';
}

}  // namespace kinglet::simulate
