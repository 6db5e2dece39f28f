// The published program's own histories of the real rows.

#include <algorithm>
#include <cstdio>
#include <map>

#include "kinglet/formats/history_file.h"
#include "kinglet/history/builder.h"
#include "kinglet/history/features.h"

#include "support/support.h"

using namespace kinglet::test;
using kinglet::formats::HistoryFile;
using kinglet::formats::HistoryTable;
using kinglet::formats::id_fingerprint;
using kinglet::history::FeatureOptions;
using kinglet::history::Split;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

/// All lines of the three splits, sorted: a tweet may be shown to a reader more than once, and the golden
/// lines are grouped by part.
std::vector<std::string> our_lines(const std::filesystem::path& rows) {
  const TempDir folder;
  FeatureOptions options;
  options.train = {rows / "train"};
  options.valid = {rows / "valid"};
  options.memory_bytes = 4 << 20;
  std::vector<std::string> all;
  for (const Split split : {Split::train, Split::valid, Split::holdout}) {
    options.split = split;
    kinglet::history::write_history_features(options, folder / "features.tsv");
    for (std::string& line : lines_of(read_file(folder / "features.tsv"))) all.push_back(std::move(line));
  }
  std::sort(all.begin(), all.end());
  return all;
}

void check_features(const std::filesystem::path& shared, const std::string& set, size_t rows) {
  std::vector<std::string> golden =
      lines_of(read_gz(shared / "golden" / ("history_" + set) / "features.tsv.gz"));
  std::sort(golden.begin(), golden.end());
  REQUIRE(golden.size() == rows);
  const std::vector<std::string> ours = our_lines(shared / "data" / set);
  REQUIRE(ours.size() == rows);
  size_t different = 0;
  for (size_t i = 0; i < rows; ++i) different += ours[i] == golden[i] ? 0 : 1;
  CHECK(different == 0);
}

void check_similar_authors(const std::filesystem::path& shared, const std::string& set) {
  const TempDir folder;
  const auto rows = shared / "data" / set;
  kinglet::history::build_history({rows / "train"}, {rows / "valid"}, folder / "history", {});
  const HistoryFile history(folder / "history", HistoryFile::Verify::full);

  std::map<std::string, std::vector<std::string>>
      golden;  // author -> "fingerprint similarity", in the file's order
  for (const std::string& line :
       lines_of(read_file(shared / "golden" / ("history_" + set) / "similar_authors.tsv"))) {
    const size_t first = line.find('\t');
    const size_t second = line.find('\t', first + 1);
    const std::string similar = line.substr(first + 1, second - first - 1);
    golden[line.substr(0, first)].push_back(std::to_string(id_fingerprint(similar)) + line.substr(second));
  }
  CHECK(history.keys(HistoryTable::similar) == golden.size());
  for (const auto& [author, expected] : golden) {
    std::vector<std::string> found;
    for (const auto& entry : history.similar_authors(id_fingerprint(author))) {
      char number[40];
      std::snprintf(number, sizeof number, "\t%.17g", entry.similarity);
      found.push_back(std::to_string(entry.author) + number);
    }
    CHECK(found == expected);
  }
}

}  // namespace

TEST_CASE("pheme: every value of every row equals the golden one") {
  REQUIRE_SHARED(shared);
  check_features(shared, "pheme", 29'951);
}

TEST_CASE("deskdrop: every value of every row equals the golden one") {
  REQUIRE_SHARED(shared);
  check_features(shared, "deskdrop", 34'204);
}

TEST_CASE("similar authors equal the golden ones") {
  REQUIRE_SHARED(shared);
  check_similar_authors(shared, "pheme");
  check_similar_authors(shared, "deskdrop");
}
