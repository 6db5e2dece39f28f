#include "src/score_parser.h"

#include <charconv>

#include <fmt/format.h>

#include "kinglet/formats/error.h"

namespace kinglet::metrics {
namespace {

struct Column {
  std::string_view name;
  Reaction reaction;
};

constexpr Column kColumns[] = {{"reply", Reaction::reply},
                               {"retweet", Reaction::retweet},
                               {"retweet_with_comment", Reaction::quote},
                               {"like", Reaction::like}};

constexpr std::string_view kSixColumns = "expected six columns, got fewer";

float probability(std::string_view text, std::string_view column) {
  float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || !(value >= 0 && value <= 1)) {
    throw Error(fmt::format("column {}: expected a probability from 0 to 1, got {}", column, shown(text)));
  }
  return value;
}

// A closing quote, or npos. A quote inside is written twice.
size_t closing_quote(std::string_view text) {
  for (size_t at = text.find('"', 1); at != std::string_view::npos; at = text.find('"', at + 2)) {
    if (at + 1 == text.size() || text[at + 1] != '"') return at;
  }
  return std::string_view::npos;
}

}  // namespace

std::string shown(std::string_view text) {
  constexpr size_t kMost = 64;
  std::string result = "'";
  for (const char c : text.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result + (text.size() > kMost ? "...'" : "'");
}

std::string_view ScoreParser::take_id(std::string_view& rest, std::string_view column,
                                      std::string& unquoted) {
  if (!rest.starts_with('"')) {
    const size_t comma = rest.find(',');
    if (comma == std::string_view::npos) throw Error(std::string(kSixColumns));
    const std::string_view id = rest.substr(0, comma);
    if (id.find('"') != std::string_view::npos) {
      throw Error(
          fmt::format("column {}: expected no quote in a field that does not start with one", column));
    }
    rest.remove_prefix(comma + 1);
    return id;
  }
  const size_t close = closing_quote(rest);
  if (close == std::string_view::npos)
    throw Error(fmt::format("column {}: expected a closing quote", column));
  if (close + 1 == rest.size()) throw Error(std::string(kSixColumns));
  if (rest[close + 1] != ',')
    throw Error(fmt::format("column {}: expected a comma after the closing quote", column));
  unquoted.clear();
  for (size_t i = 1; i < close; ++i) {
    unquoted += rest[i];
    if (rest[i] == '"') ++i;
  }
  rest.remove_prefix(close + 2);
  return unquoted;
}

void ScoreParser::parse(std::string_view line, Score& score) {
  score.tweet_id = take_id(line, "tweet_id", tweet_id_);
  score.reader_id = take_id(line, "engaging_user_id", reader_id_);
  for (const Column& column : kColumns) {
    const bool last = column.reaction == Reaction::like;
    const size_t comma = line.find(',');
    if (!last && comma == std::string_view::npos) throw Error(std::string(kSixColumns));
    if (last && comma != std::string_view::npos) throw Error("expected six columns, got more");
    score.probabilities[static_cast<size_t>(column.reaction)] =
        probability(line.substr(0, comma), column.name);
    line.remove_prefix(last ? line.size() : comma + 1);
  }
}

}  // namespace kinglet::metrics
