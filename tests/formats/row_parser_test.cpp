#include <algorithm>
#include <cstring>
#include <memory>

#include <rapidcheck.h>

#include "kinglet/formats/row_reader.h"

#include "formats/row_text.h"
#include "support/support.h"

namespace {

using kinglet::Reaction;
using kinglet::Row;
using kinglet::RowLimits;
using kinglet::TweetType;
using kinglet::formats::describe;
using kinglet::formats::RowError;
using kinglet::formats::RowFault;
using kinglet::formats::RowField;
using kinglet::formats::RowParser;
using kinglet::test::join;
using kinglet::test::OwnedRow;

// A row with labels, one field a string.
std::vector<std::string> sample_fields() {
  return {"101\t7\t102", "h1\th2", "tweet", "Photo\tGIF", "link",       "",     "Quote",  "en",
          "1700000000",  "author", "10",    "20",         "true",       "1000", "reader", "30",
          "40",          "false",  "2000",  "true",       "1700000001", "",     "",       "1700000003"};
}

std::string sample_with(size_t field, const std::string& text) {
  auto fields = sample_fields();
  fields[field] = text;
  return join(fields, '\x01');
}

// What parse() says to a line: the description of its error, "" if it is good. The line lies in memory of
// exactly its size, for AddressSanitizer to watch its ends.
std::string verdict(const std::string& line) {
  RowParser parser;
  Row row;
  RowError error;
  const auto exact = std::make_unique<char[]>(line.size());
  std::memcpy(exact.get(), line.data(), line.size());
  const std::string_view view(exact.get(), line.size());
  return parser.parse(view, row, error) ? "" : describe(error, view);
}

std::string verdict_of_field(size_t field, const std::string& text) {
  return verdict(sample_with(field, text));
}

std::string repeated(size_t count, const std::string& item) {
  return join(std::vector<std::string>(count, item), '\t');
}

}  // namespace

TEST_CASE("a row with labels becomes its values") {
  RowParser parser;
  Row row;
  const std::string line = join(sample_fields(), '\x01');
  parser.parse(line, row);
  CHECK(std::vector<uint32_t>(row.tokens.begin(), row.tokens.end()) == std::vector<uint32_t>{101, 7, 102});
  REQUIRE(row.hashtags.size() == 2);
  CHECK(row.hashtags[0] == "h1");
  CHECK(row.hashtags[1] == "h2");
  CHECK(row.tweet_id == "tweet");
  CHECK(row.language == "en");
  CHECK(row.author_id == "author");
  CHECK(row.reader_id == "reader");
  CHECK(row.tweet_timestamp == 1700000000);
  CHECK(row.author_account_creation == 1000);
  CHECK(row.reader_account_creation == 2000);
  CHECK(row.author_follower_count == 10);
  CHECK(row.author_following_count == 20);
  CHECK(row.reader_follower_count == 30);
  CHECK(row.reader_following_count == 40);
  CHECK(row.link_count == 1);
  CHECK(row.domain_count == 0);
  CHECK(row.tweet_type == TweetType::quote);
  CHECK(row.has_photo);
  CHECK_FALSE(row.has_video);
  CHECK(row.has_gif);
  CHECK(row.author_is_verified);
  CHECK_FALSE(row.reader_is_verified);
  CHECK(row.engagee_follows_engager);
  CHECK(row.has_labels);
  CHECK(row.reacted(Reaction::reply));
  CHECK_FALSE(row.reacted(Reaction::retweet));
  CHECK_FALSE(row.reacted(Reaction::quote));
  CHECK(row.reacted(Reaction::like));
  CHECK(row.time() == 1700000003);
}

TEST_CASE("nothing of a row stays in the next one") {
  RowParser parser;
  Row row;
  const std::string full = join(sample_fields(), '\x01');
  auto fields = sample_fields();
  fields.resize(20);
  fields[1] = fields[3] = fields[4] = "";
  const std::string bare = join(fields, '\x01');
  parser.parse(full, row);
  parser.parse(bare, row);
  CHECK(kinglet::test::difference(row, *kinglet::test::parse_plainly(bare)) == "");
  CHECK_FALSE(row.has_labels);
  CHECK(row.time() == 1700000000);
}

TEST_CASE("views point into the line") {
  RowParser parser;
  Row row;
  const std::string line = join(sample_fields(), '\x01');
  parser.parse(line, row);
  for (const std::string_view view :
       {row.tweet_id, row.language, row.author_id, row.reader_id, row.hashtags[1]}) {
    CHECK(view.data() >= line.data());
    CHECK(view.data() + view.size() <= line.data() + line.size());
  }
}

TEST_CASE("20 or 24 fields, no other number") {
  for (size_t count = 1; count <= 60; ++count) {
    auto fields = sample_fields();
    fields.resize(count, "1");
    const std::string expected = count == 20 || count == 24
                                     ? ""
                                     : "expected 20 fields, or 24 with labels, got " + std::to_string(count);
    CHECK(verdict(join(fields, '\x01')) == expected);
  }
}

TEST_CASE("a refused field is named with its number, what was expected and what it held") {
  CHECK(verdict_of_field(0, "101\tx\t102") ==
        "field 0 text_tokens: item 1: expected a token id from 0 to 16777215, got 'x'");
  CHECK(verdict_of_field(1, "a\t\tb") ==
        "field 1 hashtags: item 1: expected an item of 1 to 256 bytes, got ''");
  CHECK(verdict_of_field(2, "") ==
        "field 2 tweet_id: expected an id of 1 to 256 bytes without a tab, got ''");
  CHECK(verdict_of_field(3, "Photo\tphoto") ==
        "field 3 present_media: item 1: expected Photo, Video or GIF, got 'photo'");
  CHECK(verdict_of_field(4, "a\t") ==
        "field 4 present_links: item 1: expected an item of 1 to 256 bytes, got ''");
  CHECK(verdict_of_field(5, "\ta") ==
        "field 5 present_domains: item 0: expected an item of 1 to 256 bytes, got ''");
  CHECK(verdict_of_field(6, "toplevel") ==
        "field 6 tweet_type: expected TopLevel, Retweet or Quote, got 'toplevel'");
  CHECK(verdict_of_field(7, "") ==
        "field 7 language: expected an id of 1 to 256 bytes without a tab, got ''");
  CHECK(verdict_of_field(8, "") ==
        "field 8 tweet_timestamp: expected Unix seconds from 0 to 253402300799, got ''");
  CHECK(verdict_of_field(9, "a\tb") ==
        "field 9 engaged_with_user_id: expected an id of 1 to 256 bytes without a tab, got 'a\\tb'");
  CHECK(verdict_of_field(10, "-5") ==
        "field 10 engaged_with_user_follower_count: expected a count from 0 to 4294967295, got '-5'");
  CHECK(verdict_of_field(11, "1e3").starts_with(
      "field 11 engaged_with_user_following_count: expected a count"));
  CHECK(verdict_of_field(12, "True") ==
        "field 12 engaged_with_user_is_verified: expected true or false, got 'True'");
  CHECK(verdict_of_field(13, "-1").starts_with(
      "field 13 engaged_with_user_account_creation: expected Unix seconds"));
  CHECK(verdict_of_field(14, "").starts_with("field 14 engaging_user_id: expected an id"));
  CHECK(verdict_of_field(15, "").starts_with("field 15 engaging_user_follower_count: expected a count"));
  CHECK(verdict_of_field(16, " 1").starts_with("field 16 engaging_user_following_count: expected a count"));
  CHECK(verdict_of_field(17, "").starts_with("field 17 engaging_user_is_verified: expected true or false"));
  CHECK(verdict_of_field(18, "1.0").starts_with(
      "field 18 engaging_user_account_creation: expected Unix seconds"));
  CHECK(verdict_of_field(19, "1").starts_with("field 19 engagee_follows_engager: expected true or false"));
  CHECK(verdict_of_field(20, "0") ==
        "field 20 reply_timestamp: expected nothing or Unix seconds from 1 to 253402300799, got '0'");
  CHECK(
      verdict_of_field(21, "+1").starts_with("field 21 retweet_timestamp: expected nothing or Unix seconds"));
  CHECK(
      verdict_of_field(22, " ").starts_with("field 22 retweet_with_comment_timestamp: expected nothing or"));
  CHECK(verdict_of_field(23, "000").starts_with("field 23 like_timestamp: expected nothing or Unix seconds"));
}

TEST_CASE("numbers are accepted up to their limit and refused beyond it") {
  struct Number {
    size_t field;
    uint64_t limit;
  };
  for (const Number number : {Number{8, RowLimits::timestamp},
                              {10, RowLimits::count},
                              {11, RowLimits::count},
                              {13, RowLimits::timestamp},
                              {15, RowLimits::count},
                              {16, RowLimits::count},
                              {18, RowLimits::timestamp},
                              {20, RowLimits::timestamp},
                              {23, RowLimits::timestamp}}) {
    CAPTURE(number.field);
    CHECK(verdict_of_field(number.field, std::to_string(number.limit)) == "");
    CHECK(verdict_of_field(number.field, std::to_string(number.limit + 1)) != "");
    CHECK(verdict_of_field(number.field, "007") == "");
    CHECK(verdict_of_field(number.field, "0" + std::to_string(number.limit)) != "");
    for (const char* bad :
         {"18446744073709551616", "99999999999999999999", "1 ", "0x1", "1\t2", "\u0661", "/", ":"}) {
      CHECK(verdict_of_field(number.field, bad) != "");
    }
  }
}

TEST_CASE("token ids of every length, and no others") {
  const auto tokens = [](const std::string& middle) { return verdict_of_field(0, "1\t" + middle + "\t2"); };
  for (const char* good :
       {"0", "9", "12", "123", "1234", "12345", "123456", "1234567", "12345678", "16777215", "00000001"}) {
    CHECK(tokens(good) == "");
  }
  for (const char* bad : {"", "16777216", "99999999", "123456789", "000000001", "-1", "+1", " 1", "1 ", "1.",
                          "a", "1a", "1234567a", "12345678a", "\u0661", "\xc2\xb2", "1:", "/1"}) {
    CAPTURE(bad);
    CHECK(tokens(bad).starts_with(
        "field 0 text_tokens: item 1: expected a token id from 0 to 16777215, got '"));
  }
}

TEST_CASE("every token id parses to itself") {
  RowParser parser;
  Row row;
  auto fields = sample_fields();
  constexpr uint32_t kStep = 4096;
  for (uint32_t first = 0; first <= RowLimits::token_id; first += kStep) {
    std::vector<std::string> items;
    for (uint32_t token = first; token < first + kStep; token += 1 + first / 65'536)
      items.push_back(std::to_string(token));
    fields[0] = join(items, '\t');
    const std::string line = join(fields, '\x01');
    parser.parse(line, row);
    REQUIRE(row.tokens.size() == items.size());
    for (size_t i = 0; i < items.size(); ++i) REQUIRE(std::to_string(row.tokens[i]) == items[i]);
  }
}

TEST_CASE("a row has at least [CLS] and [SEP]") {
  CHECK(verdict_of_field(0, "1\t2") == "");
  CHECK(verdict_of_field(0, "1") ==
        "field 0 text_tokens: item 0: expected at least 2 tokens, [CLS] and [SEP], got '1'");
  CHECK(verdict_of_field(0, "").starts_with("field 0 text_tokens: item 0: expected a token id"));
}

TEST_CASE("ids and items are as long as the limit at most") {
  const std::string longest(RowLimits::id_bytes, 'x');
  for (const size_t field : {1, 2, 4, 5, 7, 9, 14}) {
    CAPTURE(field);
    CHECK(verdict_of_field(field, longest) == "");
    CHECK(verdict_of_field(field, longest + "x")
              .ends_with(" 1 to 256 bytes" +
                         std::string(field == 1 || field == 4 || field == 5 ? "" : " without a tab") +
                         ", got '" + std::string(60, 'x') + "...'"));
  }
}

TEST_CASE("lists hold as many items as the limit at most") {
  for (const size_t field : {0, 1, 3, 4, 5}) {
    CAPTURE(field);
    const std::string item = field == 3 ? "GIF" : "1";
    CHECK(verdict_of_field(field, repeated(RowLimits::list_items, item)) == "");
    CHECK(verdict_of_field(field, repeated(RowLimits::list_items + 1, item))
              .ends_with("item 65536: expected at most 65536 items, got '" + item + "'"));
  }
}

TEST_CASE("a line is as long as the limit at most") {
  std::string line = sample_with(0, "1");
  // Tokens "1" and "16777215" fill the line to the byte.
  std::string tokens = "1";
  size_t room = RowLimits::line_bytes - line.size();
  for (; room >= 18; room -= 9) tokens += "\t16777215";
  tokens += "\t" + std::string(8, '0');
  room -= 9;
  auto fields = sample_fields();
  fields[0] = tokens;
  fields[2] += std::string(room, 'x');
  line = join(fields, '\x01');
  REQUIRE(line.size() == RowLimits::line_bytes);
  CHECK(verdict(line).starts_with("field 0 text_tokens: item 65536: expected at most 65536 items"));
  CHECK(verdict(line + "1") == "expected a line of at most 1048576 bytes");
  CHECK(verdict("") == "expected a row, got an empty line");
}

TEST_CASE("control bytes are refused wherever they stand") {
  for (const size_t padding : {0, 1, 50, 63, 64, 65, 127, 200}) {
    const std::string before(padding, 'x');
    for (int byte = 0; byte < 128; ++byte) {
      const auto text = static_cast<char>(byte);
      const bool control = (byte < 32 && byte != 1 && byte != 9) || byte == 127;
      if (byte == 1 || byte == 9) continue;
      CAPTURE(byte);
      CHECK(verdict_of_field(14, before + text).empty() == !control);
    }
  }
  CHECK(verdict_of_field(2, std::string("a\0b", 3)) ==
        "expected no control bytes but the separators 0x01 and tab, got 0x00 (byte 17 of the line, from 0)");
  CHECK(verdict_of_field(23, "1700000003\r")
            .find("got 0x0d, a carriage return: lines end with \\n alone (byte ") != std::string::npos);
}

TEST_CASE("UTF-8 is checked strictly, at every offset") {
  const std::vector<std::string> good = {"\xc2\x80",         "\xdf\xbf",        "\xe0\xa0\x80",
                                         "\xed\x9f\xbf",     "\xee\x80\x80",    "\xef\xbf\xbf",
                                         "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
  // Octal where a hexadecimal escape would take in the letter behind it.
  const std::vector<std::string> bad = {"\x80",
                                        "\xbf",
                                        "\xc0\x80",
                                        "\xc1\xbf",
                                        "\xc2",
                                        "\302a",
                                        "\xc2\xc2\x80",
                                        "\xe0\x80\x80",
                                        "\xe0\x9f\xbf",
                                        "\xed\xa0\x80",
                                        "\xed\xbf\xbf",
                                        "\xe1\x80",
                                        "\xe1\200a",
                                        "\xf0\x80\x80\x80",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xf4\x90\x80\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xf1\x80\x80",
                                        "\xf1\x80\200a",
                                        "\xfe",
                                        "\xff"};
  for (size_t padding = 0; padding < 140; ++padding) {
    const std::string before(padding, 'x');
    for (const auto& text : good) CHECK(verdict_of_field(14, before + text + "y") == "");
    for (const auto& text : bad) {
      CHECK(verdict_of_field(14, before + text + "y").starts_with("expected UTF-8, got 0x"));
      // The line's last bytes, too.
      auto fields = sample_fields();
      fields[23] = before + text;
      CHECK(verdict(join(fields, '\x01')).starts_with("expected UTF-8, got 0x"));
    }
  }
}

TEST_CASE("a long refused text is cut between characters") {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "\u6f22";
  CHECK(verdict_of_field(2, text).ends_with("got '" + text.substr(0, 60) + "...'"));
  CHECK(verdict_of_field(2, "x" + text).ends_with("got 'x" + text.substr(0, 57) + "...'"));
}

TEST_CASE("an error is plain data: field, item, place and length") {
  RowParser parser;
  Row row;
  RowError error;
  const std::string line = sample_with(0, "12\t-34\t5");
  REQUIRE_FALSE(parser.parse(line, row, error));
  CHECK(error.fault == RowFault::token);
  CHECK(error.field == RowField::text_tokens);
  CHECK(error.item == 1);
  CHECK(error.offset == 3);
  CHECK(error.length == 3);
  CHECK(kinglet::formats::field_name(error.field) == "text_tokens");
  CHECK(kinglet::test::error_of([&] { parser.parse(line, row); }) == describe(error, line));
}

TEST_CASE("what is written parses back equal") {
  CHECK(rc::check("a random row, written and parsed, is the same row", [](uint64_t seed) {
    std::mt19937_64 random(seed);
    const OwnedRow expected = kinglet::test::random_row(random);
    const std::string line = kinglet::test::line_of(expected);
    RowParser parser;
    Row row;
    RowError error;
    if (!parser.parse(line, row, error)) RC_FAIL(describe(error, line));
    RC_ASSERT(kinglet::test::difference(row, expected) == "");
  }));
}

TEST_CASE("damaged rows are taken or refused as the plain parser takes or refuses them") {
  static constexpr std::string_view kBytes =
      "\x01\x01\x01\t\t0123456789-+ .aTrueFls\r\x02\x7f\xc2\xa0\xe6\xbc\xa2\xff";
  std::mt19937_64 random(20'260'101);
  RowParser parser;
  Row row;
  RowError error;
  size_t taken = 0;
  for (int round = 0; round < 30'000; ++round) {
    std::string line = kinglet::test::line_of(kinglet::test::random_row(random));
    for (uint64_t edits = 1 + random() % 2; edits > 0 && !line.empty(); --edits) {
      const size_t at = random() % line.size();
      const char byte = kBytes[random() % kBytes.size()];
      switch (random() % 4) {
        case 0:
          line[at] = byte;
          break;
        case 1:
          line.insert(at, 1, byte);
          break;
        case 2:
          line.erase(at, 1 + random() % 3);
          break;
        default:
          line.resize(at);
          break;
      }
    }
    const auto exact = std::make_unique<char[]>(line.size());
    std::memcpy(exact.get(), line.data(), line.size());
    const bool good = parser.parse({exact.get(), line.size()}, row, error);
    const auto expected = kinglet::test::parse_plainly(line);
    CAPTURE(line);
    REQUIRE(good == expected.has_value());
    if (good) REQUIRE(kinglet::test::difference(row, *expected) == "");
    taken += good ? 1 : 0;
  }
  CHECK(taken > 1000);
  CHECK(taken < 29'000);
}

TEST_CASE("every cut of a row is taken or refused, never read past") {
  const std::string line = join(sample_fields(), '\x01');
  for (size_t size = 0; size <= line.size(); ++size) {
    const std::string cut = line.substr(0, size);
    CHECK(verdict(cut).empty() == kinglet::test::parse_plainly(cut).has_value());
  }
}
