// The scores file: what `kinglet score` writes, what RFC 4180 allows, and every way in which it can be wrong.

#include "kinglet/metrics/scores_reader.h"

#include <fmt/format.h>

#include "support/random.h"
#include "support/support.h"

using namespace kinglet;
using namespace kinglet::metrics;
using namespace kinglet::test;

namespace {

const std::string kHeader = std::string(kScoresHeader) + "\n";

struct OwnedScore {
  std::string tweet_id, reader_id;
  std::array<float, kReactions> probabilities{};
  friend bool operator==(const OwnedScore&, const OwnedScore&) = default;
};

std::vector<OwnedScore> read_all(const std::filesystem::path& path) {
  ScoresReader reader(path);
  std::vector<OwnedScore> all;
  for (Score score; reader.next(score);) {
    all.push_back({std::string(score.tweet_id), std::string(score.reader_id), score.probabilities});
  }
  return all;
}

/// The error of reading a file of these bytes, without its folder.
std::string refusal(std::string_view bytes) {
  const TempDir folder;
  write_file(folder / "scores.csv", bytes);
  std::string message = error_of([&] { read_all(folder / "scores.csv"); });
  const std::string file = (folder / "scores.csv").string();
  REQUIRE(message.starts_with(file));
  return message.substr(file.size());
}

std::string in_quotes(const std::string& id) {
  std::string text = "\"";
  for (const char c : id) text.append(c == '"' ? 2 : 1, c);
  return text + '"';
}

std::string row_line(std::string_view tweet, std::string_view reader) {
  return fmt::format(
      "101\t102\x01\x01{}\x01\x01\x01\x01TopLevel\x01L\x01"
      "1612396800\x01"
      "A\x01"
      "1\x01"
      "1\x01"
      "false\x01"
      "1500000000\x01{}\x01"
      "1\x01"
      "1\x01"
      "false\x01"
      "1500000000\x01"
      "false\x01\x01\x01\x01\n",
      tweet, reader);
}

/// The error of matching these scores with rows of (tweet, reader) pairs (T1, R1), (T2, R2), (T3, R3).
std::string mismatch(std::string_view scores) {
  const TempDir folder;
  write_file(folder / "scores.csv", kHeader + std::string(scores));
  std::string rows;
  for (int i = 1; i <= 3; ++i) {
    rows += row_line(fmt::format("T{}", i), fmt::format("R{}", i));
  }
  write_file(folder / "rows", rows);
  return error_of([&] {
    MatchedScores matched(folder / "scores.csv");
    formats::RowReader reader({folder / "rows"});
    for (Row row; reader.next(row);) matched.add(row, reader);
    matched.finish(reader);
  });
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the columns go to their reactions") {
  const TempDir folder;
  write_file(folder / "scores.csv", kHeader + "T,R,0.25,0.5,0.75,1\n");
  const auto all = read_all(folder / "scores.csv");
  REQUIRE(all.size() == 1);
  // like, reply, retweet, quote
  CHECK(all[0] == OwnedScore{"T", "R", {1, 0.25F, 0.5F, 0.75F}});
}

TEST_CASE("nine digits give back every float, and every id comes back through its quotes") {
  Random random(21);
  std::vector<OwnedScore> written;
  std::string text = kHeader;
  for (int i = 0; i < 20'000; ++i) {
    OwnedScore score;
    for (std::string* id : {&score.tweet_id, &score.reader_id}) {
      for (uint64_t length = 1 + random.below(12); length > 0; --length)
        *id += "ab,\"\xC3\xA9 "[random.below(7)];
    }
    for (float& p : score.probabilities)
      p = static_cast<float>(random.uniform(0, 1) * random.uniform(0, 1e-3));
    const auto& p = score.probabilities;
    text += fmt::format("{},{},{:.9g},{:.9g},{:.9g},{:.9g}{}", in_quotes(score.tweet_id),
                        in_quotes(score.reader_id), p[1], p[2], p[3], p[0], i % 3 == 0 ? "\r\n" : "\n");
    written.push_back(score);
  }
  const TempDir folder;
  write_file(folder / "scores.csv", text);
  CHECK(read_all(folder / "scores.csv") == written);
}

TEST_CASE("a missing last newline, a file with a header alone, and parts in order") {
  const TempDir folder;
  write_file(folder / "open", kHeader + "T,R,0,0,0,0");
  CHECK(read_all(folder / "open").size() == 1);
  write_file(folder / "none", kHeader);
  CHECK(read_all(folder / "none").empty());
  std::filesystem::create_directory(folder / "parts");
  write_file(folder / "parts/part-00002", kHeader + "T3,R,0,0,0,0\n");
  write_file(folder / "parts/part-00000", kHeader + "T1,R,0,0,0,0\n");
  write_file(folder / "parts/part-00001", kHeader);
  write_file(folder / "parts/notes", "not a part");
  const auto all = read_all(folder / "parts");
  REQUIRE(all.size() == 2);
  CHECK(all[0].tweet_id == "T1");
  CHECK(all[1].tweet_id == "T3");
}

TEST_CASE("what is wrong is named by line and column") {
  CHECK(contains(refusal(""), ": line 1: expected the header"));
  CHECK(contains(refusal("tweet,reader\n"), "got 'tweet,reader'"));
  const auto second = [](std::string_view line) {
    return refusal(kHeader + "T,R,0,0,0,0\n" + std::string(line));
  };
  CHECK(second("T,R,0,0,0,nan\n") == ": line 3: column like: expected a probability from 0 to 1, got 'nan'");
  CHECK(second("T,R,-0.1,0,0,0\n") ==
        ": line 3: column reply: expected a probability from 0 to 1, got '-0.1'");
  CHECK(second("T,R,0,1.0001,0,0\n") ==
        ": line 3: column retweet: expected a probability from 0 to 1, got '1.0001'");
  CHECK(contains(second("T,R,0,0,inf,0\n"), "column retweet_with_comment"));
  CHECK(contains(second("T,R,0,0,,0\n"), "got ''"));
  CHECK(contains(second("T,R,0,0, 0,0\n"), "got ' 0'"));
  CHECK(contains(second("T,R,0,0,0,0x1\n"), "column like"));
  CHECK(contains(second("T,R,0,0,0\n"), "expected six columns, got fewer"));
  CHECK(contains(second("T\n"), "got fewer"));
  CHECK(contains(second("\n"), "got fewer"));
  CHECK(contains(second("\"T\"\n"), "got fewer"));
  CHECK(contains(second("T,R,0,0,0,0,0\n"), "expected six columns, got more"));
  CHECK(contains(second("\"T,R,0,0,0,0\n"), "column tweet_id: expected a closing quote"));
  CHECK(contains(second("T,\"R\"x,0,0,0,0\n"), "column engaging_user_id: expected a comma after"));
  CHECK(contains(second("T\"T,R,0,0,0,0\n"), "column tweet_id: expected no quote"));
  CHECK(contains(second(std::string(5'000, 'x')), "expected a line of at most 4096 bytes"));
  CHECK(contains(second(std::string(1'000'000, 'x')), "expected a line of at most 4096 bytes"));
  const TempDir folder;
  CHECK(contains(error_of([&] { ScoresReader reader(folder / "absent"); }),
                 "absent: cannot open: No such file"));
  CHECK(contains(error_of([&] { ScoresReader reader(folder.path()); }),
                 "expected a file, or a folder with part-*"));
}

TEST_CASE("scores of other rows, too few and too many are named with both places") {
  const std::string two = "T1,R1,0,0,0,0\nT2,R2,0,0,0,0\n";
  std::string message = mismatch(two + "T3,R9,0,0,0,0\n");
  CHECK(contains(message, "scores.csv: line 4: expected tweet 'T3' and reader 'R3' of "));
  CHECK(contains(message, "rows: line 3, got tweet 'T3' and reader 'R9'"));
  CHECK(contains(mismatch("T1,R1,0,0,0,0\nT3,R3,0,0,0,0\n"), "scores.csv: line 3: expected tweet 'T2'"));
  message = mismatch(two);
  CHECK(contains(message, "scores.csv: line 4: expected the score of "));
  CHECK(contains(message, "rows: line 3, got the end of the file"));
  message = mismatch(two + "T3,R3,0,0,0,0\nT4,R4,0,0,0,0\n");
  CHECK(contains(message, "scores.csv: line 5: expected the end of the file, since "));
  CHECK(contains(message, "rows line 3 is the last row, got tweet 'T4'"));
}

TEST_CASE("matched scores are kept in row order") {
  const TempDir folder;
  write_file(folder / "scores.csv", kHeader + "T,R,0.5,0,0,1\n");
  write_file(folder / "rows", row_line("T", "R"));
  MatchedScores matched(folder / "scores.csv");
  formats::RowReader reader({folder / "rows"});
  for (Row row; reader.next(row);) matched.add(row, reader);
  matched.finish(reader);
  CHECK(matched.probabilities().rows() == 1);
  CHECK(matched.probabilities().of(Reaction::like)[0] == 1);
  CHECK(matched.probabilities().of(Reaction::reply)[0] == 0.5F);
}
