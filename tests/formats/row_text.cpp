#include "formats/row_text.h"

#include <algorithm>
#include <cctype>

namespace kinglet::test {
namespace {

std::string boolean_text(bool value) {
  return value ? "true" : "false";
}

std::string label_text(int64_t seconds) {
  return seconds == 0 ? "" : std::to_string(seconds);
}

std::string join_tokens(const std::vector<uint32_t>& tokens) {
  std::vector<std::string> items;
  items.reserve(tokens.size());
  for (const uint32_t token : tokens) items.push_back(std::to_string(token));
  return join(items, '\t');
}

// Code points are decoded with generous rules and encoded again: only the shortest form of an allowed code
// point comes back as it was.
std::string encode(uint32_t point) {
  if (point < 0x80) return {static_cast<char>(point)};
  const auto tail = [&](unsigned shift) { return static_cast<char>(0x80 | ((point >> shift) & 0x3f)); };
  if (point < 0x800) return {static_cast<char>(0xc0 | (point >> 6)), tail(0)};
  if (point < 0x10000) return {static_cast<char>(0xe0 | (point >> 12)), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | (point >> 18)), tail(12), tail(6), tail(0)};
}

bool is_utf8(const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t point = length == 1 ? lead : lead & (0xffu >> (length + 1));
    for (size_t i = 1; i < length && at + i < text.size(); ++i) {
      point = (point << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3f);
    }
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    if (text.compare(at, length, encode(point)) != 0) return false;
    at += length;
  }
  return true;
}

bool has_allowed_bytes(const std::string& line) {
  for (const char byte : line) {
    if (byte == '\x01' || byte == '\t') continue;
    if (std::iscntrl(static_cast<unsigned char>(byte)) != 0) return false;
  }
  return is_utf8(line);
}

// Throws nothing: a value beyond `limit` or text that is no number is nullopt.
std::optional<uint64_t> number(const std::string& text, uint64_t limit) {
  if (text.empty() || text.size() > std::to_string(limit).size()) return std::nullopt;
  if (text.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  const uint64_t value = std::stoull(text);
  if (value > limit) return std::nullopt;
  return value;
}

bool is_id(const std::string& text) {
  return !text.empty() && text.size() <= RowLimits::id_bytes && text.find('\t') == std::string::npos;
}

bool is_one_of(const std::string& text, const std::vector<std::string>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

class PlainFields {
 public:
  explicit PlainFields(const std::string& line) : texts_(split(line, '\x01')) {}

  size_t size() const { return texts_.size(); }
  bool good() const { return good_; }

  std::vector<std::string> list(size_t field) {
    if (texts_[field].empty()) return {};
    auto items = split(texts_[field], '\t');
    need(items.size() <= RowLimits::list_items);
    for (const auto& item : items) need(is_id(item));
    return items;
  }
  std::vector<uint32_t> tokens(size_t field) {
    std::vector<uint32_t> tokens;
    for (const auto& item : split(texts_[field], '\t')) {
      tokens.push_back(static_cast<uint32_t>(need(number(item, RowLimits::token_id))));
    }
    need(tokens.size() >= 2 && tokens.size() <= RowLimits::list_items);
    return tokens;
  }
  std::vector<std::string> media(size_t field) {
    auto items = list(field);
    for (const auto& item : items) need(is_one_of(item, {"Photo", "Video", "GIF"}));
    return items;
  }
  std::string id(size_t field) {
    need(is_id(texts_[field]));
    return texts_[field];
  }
  std::string type(size_t field) {
    need(is_one_of(texts_[field], {"TopLevel", "Retweet", "Quote"}));
    return texts_[field];
  }
  uint64_t count(size_t field) { return need(number(texts_[field], RowLimits::count)); }
  int64_t seconds(size_t field) {
    return static_cast<int64_t>(need(number(texts_[field], RowLimits::timestamp)));
  }
  bool boolean(size_t field) {
    need(is_one_of(texts_[field], {"true", "false"}));
    return texts_[field] == "true";
  }
  int64_t label(size_t field) {
    if (texts_[field].empty()) return 0;
    const int64_t value = seconds(field);
    need(value > 0);
    return value;
  }

 private:
  void need(bool holds) { good_ = good_ && holds; }
  uint64_t need(std::optional<uint64_t> value) {
    need(value.has_value());
    return value.value_or(0);
  }

  std::vector<std::string> texts_;
  bool good_ = true;
};

uint64_t below(std::mt19937_64& random, uint64_t bound) {
  return random() % bound;
}

// Small, or anything up to the limit, or the limit itself.
uint64_t random_number(std::mt19937_64& random, uint64_t limit) {
  switch (below(random, 4)) {
    case 0:
      return below(random, 10);
    case 1:
      return limit;
    default:
      return below(random, limit) >> below(random, 30);
  }
}

std::string random_id(std::mt19937_64& random) {
  static const std::vector<std::string> kLetters = {"a",  "7", "F",      " ",      "-",
                                                    "\"", ",", "\u00e9", "\u6f22", "\U0001f426"};
  const uint64_t shape = below(random, 20);
  if (shape == 0) return std::string(RowLimits::id_bytes, 'x');
  std::string id;
  const uint64_t letters = 1 + below(random, shape == 1 ? 60 : 12);
  for (uint64_t i = 0; i < letters; ++i) id += kLetters[below(random, kLetters.size())];
  return id;
}

std::vector<std::string> random_ids(std::mt19937_64& random) {
  std::vector<std::string> ids(below(random, 2) == 0 ? 0 : below(random, 6));
  for (auto& id : ids) id = random_id(random);
  return ids;
}

}  // namespace

std::string join(const std::vector<std::string>& parts, char separator) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += separator;
    text += parts[i];
  }
  return text;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (const char byte : text) {
    if (byte == separator) {
      parts.emplace_back();
    } else {
      parts.back() += byte;
    }
  }
  return parts;
}

std::vector<std::string> fields_of(const OwnedRow& row) {
  std::vector<std::string> fields = {join_tokens(row.tokens),
                                     join(row.hashtags, '\t'),
                                     row.tweet_id,
                                     join(row.media, '\t'),
                                     join(row.links, '\t'),
                                     join(row.domains, '\t'),
                                     row.tweet_type,
                                     row.language,
                                     std::to_string(row.tweet_timestamp),
                                     row.author_id,
                                     std::to_string(row.author_follower_count),
                                     std::to_string(row.author_following_count),
                                     boolean_text(row.author_is_verified),
                                     std::to_string(row.author_account_creation),
                                     row.reader_id,
                                     std::to_string(row.reader_follower_count),
                                     std::to_string(row.reader_following_count),
                                     boolean_text(row.reader_is_verified),
                                     std::to_string(row.reader_account_creation),
                                     boolean_text(row.engagee_follows_engager)};
  if (!row.has_labels) return fields;
  for (const Reaction reaction : {Reaction::reply, Reaction::retweet, Reaction::quote, Reaction::like}) {
    fields.push_back(label_text(row.reaction_timestamps[static_cast<size_t>(reaction)]));
  }
  return fields;
}

std::string line_of(const OwnedRow& row) {
  return join(fields_of(row), '\x01');
}

std::optional<OwnedRow> parse_plainly(const std::string& line) {
  if (line.empty() || line.size() > RowLimits::line_bytes || !has_allowed_bytes(line)) return std::nullopt;
  PlainFields fields(line);
  if (fields.size() != 20 && fields.size() != 24) return std::nullopt;
  OwnedRow row;
  row.tokens = fields.tokens(0);
  row.hashtags = fields.list(1);
  row.tweet_id = fields.id(2);
  row.media = fields.media(3);
  row.links = fields.list(4);
  row.domains = fields.list(5);
  row.tweet_type = fields.type(6);
  row.language = fields.id(7);
  row.tweet_timestamp = fields.seconds(8);
  row.author_id = fields.id(9);
  row.author_follower_count = fields.count(10);
  row.author_following_count = fields.count(11);
  row.author_is_verified = fields.boolean(12);
  row.author_account_creation = fields.seconds(13);
  row.reader_id = fields.id(14);
  row.reader_follower_count = fields.count(15);
  row.reader_following_count = fields.count(16);
  row.reader_is_verified = fields.boolean(17);
  row.reader_account_creation = fields.seconds(18);
  row.engagee_follows_engager = fields.boolean(19);
  row.has_labels = fields.size() == 24;
  if (row.has_labels)
    row.reaction_timestamps = {fields.label(23), fields.label(20), fields.label(21), fields.label(22)};
  if (!fields.good()) return std::nullopt;
  return row;
}

std::string difference(const Row& row, const OwnedRow& expected) {
  const auto has = [&](const char* kind) { return is_one_of(kind, expected.media); };
  const auto type = row.tweet_type == TweetType::top_level ? "TopLevel"
                    : row.tweet_type == TweetType::retweet ? "Retweet"
                                                           : "Quote";
  if (!std::equal(row.tokens.begin(), row.tokens.end(), expected.tokens.begin(), expected.tokens.end()))
    return "tokens";
  if (!std::equal(row.hashtags.begin(), row.hashtags.end(), expected.hashtags.begin(),
                  expected.hashtags.end())) {
    return "hashtags";
  }
  if (row.tweet_id != expected.tweet_id) return "tweet_id";
  if (row.language != expected.language) return "language";
  if (row.author_id != expected.author_id) return "author_id";
  if (row.reader_id != expected.reader_id) return "reader_id";
  if (row.tweet_timestamp != expected.tweet_timestamp) return "tweet_timestamp";
  if (row.author_account_creation != expected.author_account_creation) return "author_account_creation";
  if (row.reader_account_creation != expected.reader_account_creation) return "reader_account_creation";
  if (row.author_follower_count != expected.author_follower_count) return "author_follower_count";
  if (row.author_following_count != expected.author_following_count) return "author_following_count";
  if (row.reader_follower_count != expected.reader_follower_count) return "reader_follower_count";
  if (row.reader_following_count != expected.reader_following_count) return "reader_following_count";
  if (row.link_count != expected.links.size()) return "link_count";
  if (row.domain_count != expected.domains.size()) return "domain_count";
  if (type != expected.tweet_type) return "tweet_type";
  if (row.has_photo != has("Photo") || row.has_video != has("Video") || row.has_gif != has("GIF"))
    return "media";
  if (row.author_is_verified != expected.author_is_verified) return "author_is_verified";
  if (row.reader_is_verified != expected.reader_is_verified) return "reader_is_verified";
  if (row.engagee_follows_engager != expected.engagee_follows_engager) return "engagee_follows_engager";
  if (row.has_labels != expected.has_labels) return "has_labels";
  if (row.reaction_timestamps != expected.reaction_timestamps) return "reaction_timestamps";
  return "";
}

OwnedRow random_row(std::mt19937_64& random) {
  static const std::vector<std::string> kMedia = {"Photo", "Video", "GIF"};
  static const std::vector<std::string> kTypes = {"TopLevel", "Retweet", "Quote"};
  const auto count = [&] { return random_number(random, RowLimits::count); };
  const auto seconds = [&] { return static_cast<int64_t>(random_number(random, RowLimits::timestamp)); };
  const auto flag = [&] { return below(random, 2) == 0; };
  OwnedRow row;
  row.tokens.resize(2 + below(random, 40));
  for (auto& token : row.tokens) token = static_cast<uint32_t>(random_number(random, RowLimits::token_id));
  row.hashtags = random_ids(random);
  row.links = random_ids(random);
  row.domains = random_ids(random);
  row.media.resize(below(random, 4));
  for (auto& item : row.media) item = kMedia[below(random, kMedia.size())];
  row.tweet_id = random_id(random);
  row.tweet_type = kTypes[below(random, kTypes.size())];
  row.language = random_id(random);
  row.author_id = random_id(random);
  row.reader_id = random_id(random);
  row.tweet_timestamp = seconds();
  row.author_account_creation = seconds();
  row.reader_account_creation = seconds();
  row.author_follower_count = count();
  row.author_following_count = count();
  row.reader_follower_count = count();
  row.reader_following_count = count();
  row.author_is_verified = flag();
  row.reader_is_verified = flag();
  row.engagee_follows_engager = flag();
  row.has_labels = flag();
  if (row.has_labels) {
    for (auto& label : row.reaction_timestamps) label = flag() ? 0 : seconds();
  }
  return row;
}

}  // namespace kinglet::test
