// `kinglet codebook` from the outside: what it prints, how it exits, which files it leaves.

#include <set>
#include <string>
#include <vector>

#include "kinglet/converter/token_vectors.h"
#include "kinglet/converter/vocabulary.h"

#include "formats/row_text.h"
#include "support/process.h"
#include "support/random.h"
#include "support/support.h"

using namespace kinglet::test;

namespace {

ProcessResult codebook(std::vector<std::string> arguments, const ProcessLimits& limits = {}) {
  arguments.insert(arguments.begin(), {KINGLET_PROGRAM, "codebook"});
  return run_process(arguments, limits);
}

std::string vectors_text(uint32_t first, uint32_t tokens) {
  Random random(first);
  std::string text;
  for (uint32_t id = first; id < first + tokens; ++id) {
    text += std::to_string(id);
    for (int dimension = 0; dimension < 8; ++dimension) text += ' ' + std::to_string(random.uniform(-1, 1));
    text += '\n';
  }
  return text;
}

std::string rows_text(bool with_text) {
  Random random(1);
  std::string text;
  for (int tweet = 0; tweet < 60; ++tweet) {
    OwnedRow row;
    row.tokens = {101};
    for (int word = 0; with_text && word < 10; ++word)
      row.tokens.push_back(static_cast<uint32_t>(1'000 + random.below(20)));
    row.tokens.push_back(102);
    row.tweet_id = "T" + std::to_string(tweet);
    row.tweet_type = "TopLevel";
    row.language = "L";
    row.author_id = "A";
    row.reader_id = "R";
    row.tweet_timestamp = row.author_account_creation = row.reader_account_creation = 1'612'137'600;
    text += line_of(row) + '\n';
  }
  return text;
}

std::set<std::string> names_in(const TempDir& dir) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path()))
    names.insert(entry.path().filename());
  return names;
}

}  // namespace

TEST_CASE("codebook fit: the same bytes each time; the seed changes them") {
  const TempDir dir;
  const std::string vectors = dir / "vectors";
  const std::string output = dir / "codebook.json";
  write_file(vectors, vectors_text(5, 50));
  const ProcessResult result =
      codebook({"fit", "--vectors", vectors, "-o", output, "--depth", "6", "--width", "100"});
  CHECK(result.exit_code == 0);
  CHECK(result.err.empty());
  CHECK(result.out == "wrote    " + output + ": 50 tokens, 8 dimensions to 6 codes of 100\n");
  CHECK(kinglet::converter::read_codebook(output).depth == 6);
  const std::string bytes = read_file(output);
  codebook({"fit", "--vectors", vectors, "-o", output, "--depth", "6", "--width", "100"});
  CHECK(read_file(output) == bytes);
  codebook({"fit", "--vectors", vectors, "-o", output, "--depth", "6", "--width", "100", "--seed", "1"});
  CHECK(read_file(output) != bytes);
  codebook(
      {"fit", "--vectors", vectors, "-o", output, "--depth", "6", "--width", "100", "--bias", "quantile"});
  CHECK(read_file(output) != bytes);
}

TEST_CASE("codebook fit: tokens that come later are coded by the parameters of the first fit") {
  const TempDir dir;
  write_file(dir / "first", vectors_text(5, 50));
  write_file(dir / "both", vectors_text(5, 50) + vectors_text(400, 3));
  CHECK(codebook({"fit", "--vectors", dir / "first", "-o", dir / "first.json", "--width", "1000",
                  "--parameters", dir / "hash"})
            .exit_code == 0);
  CHECK(codebook({"fit", "--vectors", dir / "both", "-o", dir / "both.json", "--reuse", dir / "hash"})
            .exit_code == 0);
  const auto first = kinglet::converter::read_codebook(dir / "first.json");
  const auto both = kinglet::converter::read_codebook(dir / "both.json");
  CHECK(both.token_limit == 403);
  CHECK(std::equal(first.codes.begin(), first.codes.end(), both.codes.begin()));
  const ProcessResult mixed =
      codebook({"fit", "--vectors", dir / "both", "-o", dir / "x", "--reuse", dir / "hash", "--width", "10"});
  CHECK(mixed.exit_code == 2);
}

TEST_CASE("codebook learn: vectors that are written give the codebook that was learned") {
  const TempDir dir;
  write_file(dir / "rows", rows_text(true));
  const ProcessResult result = codebook({"learn", dir / "rows", "-o", dir / "learned.json", "--vectors-out",
                                         dir / "vectors", "--parameters", dir / "hash"});
  CHECK(result.exit_code == 0);
  CHECK(result.err.empty());
  CHECK(kinglet::converter::read_token_vectors(dir / "vectors").tokens() == 20);
  CHECK(codebook({"fit", "--vectors", dir / "vectors", "-o", dir / "fitted.json"}).exit_code == 0);
  CHECK(read_file(dir / "fitted.json") == read_file(dir / "learned.json"));
  CHECK(names_in(dir) == std::set<std::string>{"rows", "learned.json", "vectors", "hash", "fitted.json"});
}

TEST_CASE("codebook learn: rows without text give an empty codebook and a note") {
  const TempDir dir;
  write_file(dir / "rows", rows_text(false));
  const ProcessResult result = codebook({"learn", dir / "rows", "-o", dir / "codebook.json", "--json"});
  CHECK(result.exit_code == 0);
  CHECK(result.err.find("note: no token occurs often enough to learn from") != std::string::npos);
  CHECK(result.out.find("\"tokens\": 0") != std::string::npos);
  CHECK(read_file(dir / "codebook.json") == "{}\n");
}

TEST_CASE("codebook: faults leave no file, and older ones untouched") {
  const TempDir dir;
  write_file(dir / "vectors", "1 2 3\n1 4 5\n");
  write_file(dir / "codebook.json", "old");
  ProcessResult result = codebook({"fit", "--vectors", dir / "vectors", "-o", dir / "codebook.json"});
  CHECK(result.exit_code == 1);
  CHECK(result.err == "kinglet: " + (dir / "vectors").string() + ": token 1 stands twice\n");
  write_file(dir / "vectors", vectors_text(1, 2'000));
  result =
      codebook({"fit", "--vectors", dir / "vectors", "-o", dir / "codebook.json"}, {.file_bytes = 4'096});
  CHECK(result.exit_code == 1);
  CHECK(result.err.find("codebook.json") != std::string::npos);
  CHECK(read_file(dir / "codebook.json") == "old");
  CHECK(names_in(dir) == std::set<std::string>{"vectors", "codebook.json"});
  CHECK(codebook({"fit", "--vectors", dir / "vectors", "-o", dir / "x", "--bias", "mean"}).exit_code == 2);
  CHECK(codebook({"learn", dir / "missing", "-o", dir / "x"}).exit_code == 1);
}
