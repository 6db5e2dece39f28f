// `kinglet score` on the held-out rows of real data equals, bit for bit, a slow path that shares no code with
// it.
#include <cstdio>
#include <fstream>

#include "kinglet/formats/model_file.h"

#include "engine/row_oracle.h"
#include "support/process.h"
#include "support/support.h"

namespace {

namespace fs = std::filesystem;
using kinglet::test::Fields;
using kinglet::test::TempDir;

void run_kinglet(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), KINGLET_PROGRAM);
  const auto result = kinglet::test::run_process(arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
}

std::string join(const Fields& row) {
  std::string line;
  for (const std::string& field : row) line += (line.empty() && &field == &row[0] ? "" : "\x01") + field;
  return line + "\n";
}

/// One CSV line as documented: reply, retweet, quote, like.
std::string csv_line(const Fields& row, const std::array<float, 4>& p) {
  char numbers[128];
  std::snprintf(numbers, sizeof numbers, ",%.9g,%.9g,%.9g,%.9g\n", static_cast<double>(p[3]),
                static_cast<double>(p[1]), static_cast<double>(p[2]), static_cast<double>(p[0]));
  return row[2] + "," + row[14] + numbers;
}

void check_data_set(const std::string& name) {
  REQUIRE_SHARED(shared);
  const TempDir dir;
  const fs::path data = shared / "data" / name;
  run_kinglet({"convert", "--weights", shared / "golden/net_h96.pt", "--codebook",
               shared / "golden/subwords_bert.json", "--languages", shared / "golden/language2id.json", "-o",
               dir / "m.kinglet"});
  run_kinglet(
      {"history", "build", "--train", data / "train", "--valid", data / "valid", "-o", dir / "h.kinglet"});

  kinglet::test::HistoryOracle history;
  for (const Fields& row : kinglet::test::read_rows(data / "train/part-00000")) history.add_train(row);
  std::vector<Fields> held_out;
  size_t number = 0;
  for (Fields& row : kinglet::test::read_rows(data / "valid/part-00000")) {
    if (number++ % 10 == 0) {
      held_out.push_back(std::move(row));
    } else {
      history.add_valid(row);
    }
  }
  history.find_similar_authors();
  std::string rows;
  for (const Fields& row : held_out) rows += join(row);
  kinglet::test::write_file(dir / "rows", rows);
  run_kinglet({"score", "--model", dir / "m.kinglet", "--history", dir / "h.kinglet", dir / "rows", "-o",
               dir / "s.csv"});

  const kinglet::formats::ModelFile model(dir / "m.kinglet");
  const kinglet::test::ScoreOracle oracle(model);
  std::ifstream scores(dir / "s.csv");
  std::string line;
  std::getline(scores, line);
  CHECK(line == "tweet_id,engaging_user_id,reply,retweet,retweet_with_comment,like");
  size_t different = 0;
  for (const Fields& row : held_out) {
    REQUIRE(std::getline(scores, line));
    different += line + "\n" == csv_line(row, oracle.probabilities(row, history.values(row))) ? 0 : 1;
  }
  CHECK(!std::getline(scores, line));
  CHECK(different == 0);
  MESSAGE(name << ": " << held_out.size() << " rows");
}

}  // namespace

TEST_CASE("held-out rows of pheme score as the slow path says, to the bit") {
  check_data_set("pheme");
}
TEST_CASE("held-out rows of deskdrop score as the slow path says, to the bit") {
  check_data_set("deskdrop");
}
