#include "kinglet/formats/row_reader.h"

#include "formats/row_text.h"
#include "support/support.h"

namespace {

using kinglet::Row;
using kinglet::formats::RowReader;

std::string whole_text(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "part-00000") ? kinglet::test::read_file(folder / "part-00000")
                                                        : kinglet::test::read_gz(folder / "part-00000.gz");
}

// Every row of a folder equals what splitting its text gives. Counts are those that the data's README states.
void check_folder(const std::filesystem::path& folder, size_t rows) {
  CAPTURE(folder.string());
  const std::string text = whole_text(folder);
  RowReader reader({folder}, {.block_bytes = 10'007, .require_labels = true});
  Row row;
  size_t at = 0;
  while (reader.next(row)) {
    const size_t end = text.find('\n', at);
    REQUIRE(end != std::string::npos);
    const auto expected = kinglet::test::parse_plainly(text.substr(at, end - at));
    REQUIRE(expected.has_value());
    REQUIRE(kinglet::test::difference(row, *expected) == "");
    at = end + 1;
    REQUIRE(reader.line() == reader.row_index() + 1);
  }
  CHECK(at == text.size());
  CHECK(reader.row_index() + 1 == rows);
}

}  // namespace

TEST_CASE("every row of pheme equals the plain parser's") {
  REQUIRE_SHARED(shared);
  check_folder(shared / "data/pheme/train", 24'665);
  check_folder(shared / "data/pheme/valid", 5'286);
}

TEST_CASE("every row of deskdrop equals the plain parser's") {
  REQUIRE_SHARED(shared);
  check_folder(shared / "data/deskdrop/train", 28'168);
  check_folder(shared / "data/deskdrop/valid", 6'036);
}

TEST_CASE("every row of weibo, gzip, equals the plain parser's") {
  REQUIRE_SHARED(shared);
  check_folder(shared / "data/weibo/train", 68'497);
  check_folder(shared / "data/weibo/valid", 14'678);
}

TEST_CASE("the golden network's rows are rows") {
  REQUIRE_SHARED(shared);
  RowReader reader({shared / "golden/net_rows.part"});
  Row row;
  while (reader.next(row)) {
  }
  CHECK(reader.row_index() + 1 == 400);
}
