#include "kinglet/formats/row_reader.h"

#include <sys/stat.h>
#include <zlib.h>

#include "formats/row_text.h"
#include "support/support.h"

namespace {

using kinglet::Row;
using kinglet::RowLimits;
using kinglet::formats::RowReader;
using kinglet::formats::RowReaderOptions;
using kinglet::test::error_of;
using kinglet::test::OwnedRow;
using kinglet::test::TempDir;
using kinglet::test::write_file;

// One gzip member.
std::string gzip(const std::string& text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<unsigned char*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::vector<OwnedRow> random_rows(size_t count, bool labelled = true) {
  std::mt19937_64 random(7 + count);
  std::vector<OwnedRow> rows;
  while (rows.size() < count) {
    rows.push_back(kinglet::test::random_row(random));
    rows.back().has_labels = labelled;
    if (!labelled) rows.back().reaction_timestamps = {};
  }
  return rows;
}

std::string text_of(const std::vector<OwnedRow>& rows) {
  std::string text;
  for (const auto& row : rows) text += kinglet::test::line_of(row) + "\n";
  return text;
}

// A short row that carries a number.
std::string small_line(const std::string& tweet, bool labelled = true) {
  OwnedRow row;
  row.tokens = {1, 2};
  row.tweet_id = tweet;
  row.tweet_type = "TopLevel";
  row.language = row.author_id = row.reader_id = "x";
  row.has_labels = labelled;
  return kinglet::test::line_of(row);
}

void check_rows(RowReader reader, const std::vector<OwnedRow>& expected) {
  Row row;
  for (size_t i = 0; i < expected.size(); ++i) {
    REQUIRE(reader.next(row));
    REQUIRE(kinglet::test::difference(row, expected[i]) == "");
    REQUIRE(reader.row_index() == i);
    REQUIRE(reader.text() == kinglet::test::line_of(expected[i]));
  }
  CHECK_FALSE(reader.next(row));
  CHECK_FALSE(reader.next(row));
  CHECK(reader.bytes_read() == reader.total_bytes());
}

std::vector<std::string> tweets(RowReader reader) {
  std::vector<std::string> ids;
  Row row;
  while (reader.next(row)) ids.emplace_back(row.tweet_id);
  return ids;
}

std::string reading_error(const std::filesystem::path& path, RowReaderOptions options = {}) {
  return error_of([&] {
    RowReader reader({path}, options);
    Row row;
    while (reader.next(row)) {
    }
  });
}

}  // namespace

TEST_CASE("rows come back the same from plain and gzip files at any block size") {
  TempDir dir;
  const auto rows = random_rows(40);
  const std::string text = text_of(rows);
  write_file(dir / "plain", text);
  write_file(dir / "unended", text.substr(0, text.size() - 1));
  write_file(dir / "gzip", gzip(text));
  // Members that end inside a row, one of them empty.
  write_file(dir / "members", gzip(text.substr(0, 1000)) + gzip("") + gzip(text.substr(1000)));
  std::vector<size_t> blocks = {100, 255, 256, 1000, 4096, 1 << 18, 1 << 20};
  for (size_t block = 0; block < 70; ++block) blocks.push_back(block);
  for (const size_t block : blocks) {
    CAPTURE(block);
    for (const char* name : {"plain", "unended", "gzip", "members"}) {
      CAPTURE(name);
      check_rows(RowReader({dir / name}, {.block_bytes = block}), rows);
    }
  }
}

TEST_CASE("a block may end at every byte of a file") {
  TempDir dir;
  const auto rows = random_rows(6);
  const std::string text = text_of(rows);
  write_file(dir / "rows", text);
  for (size_t block = 1; block <= text.size() + 1; ++block) {
    CAPTURE(block);
    check_rows(RowReader({dir / "rows"}, {.block_bytes = block}), rows);
  }
}

TEST_CASE("parts are read in bytewise name order, whatever else the folder holds") {
  TempDir dir;
  for (const char* name : {"part-2", "part-10", "part-", "part-B", "part-a", "part-\xc3\xa9"}) {
    write_file(dir / name, small_line(name) + "\n");
  }
  write_file(dir / "_SUCCESS", "");
  write_file(dir / ".part-2.crc", "crc");
  write_file(dir / "apart-1", "no row");
  CHECK(tweets(RowReader({dir.path()})) ==
        std::vector<std::string>{"part-", "part-10", "part-2", "part-B", "part-a", "part-\xc3\xa9"});
}

TEST_CASE("file, line and number tell where a row came from") {
  TempDir dir;
  std::filesystem::create_directory(dir / "folder");
  write_file(dir / "folder/part-0", small_line("a") + "\n" + small_line("b") + "\n");
  write_file(dir / "folder/part-1", gzip(small_line("c")));
  write_file(dir / "single", small_line("d") + "\n");
  RowReader reader({dir / "folder", dir / "single"});
  const auto size = [&](const char* name) { return std::filesystem::file_size(dir / name); };
  CHECK(reader.total_bytes() == size("folder/part-0") + size("folder/part-1") + size("single"));
  CHECK(reader.bytes_read() == 0);
  struct Place {
    const char* file;
    uint64_t line;
  };
  Row row;
  uint64_t index = 0;
  uint64_t bytes = 0;
  for (const Place place :
       {Place{"folder/part-0", 1}, {"folder/part-0", 2}, {"folder/part-1", 1}, {"single", 1}}) {
    REQUIRE(reader.next(row));
    CHECK(reader.file() == (dir / place.file).string());
    CHECK(reader.line() == place.line);
    CHECK(reader.row_index() == index++);
    CHECK(reader.bytes_read() >= bytes);
    bytes = reader.bytes_read();
    CHECK(std::string(reader.error_here("no good").what()) ==
          (dir / place.file).string() + ": line " + std::to_string(place.line) + ": no good");
  }
  CHECK_FALSE(reader.next(row));
  CHECK(reader.bytes_read() == reader.total_bytes());
}

TEST_CASE("a refused row is named by file, line and field, and ends the reading") {
  TempDir dir;
  auto rows = random_rows(3);
  auto fields = kinglet::test::fields_of(rows[1]);
  fields[10] = "-5";
  const std::string text = kinglet::test::line_of(rows[0]) + "\n" + kinglet::test::join(fields, '\x01') +
                           "\n" + kinglet::test::line_of(rows[2]) + "\n";
  write_file(dir / "plain", text);
  write_file(dir / "gzip", gzip(text));
  for (const char* name : {"plain", "gzip"}) {
    RowReader reader({dir / name});
    Row row;
    REQUIRE(reader.next(row));
    CHECK(error_of([&] { reader.next(row); }) ==
          (dir / name).string() +
              ": line 2: field 10 engaged_with_user_follower_count: expected a count from 0 to "
              "4294967295, got '-5'");
    CHECK_FALSE(reader.next(row));
  }
}

TEST_CASE("missing, empty and special inputs are refused by name") {
  TempDir dir;
  write_file(dir / "empty", "");
  write_file(dir / "empty.gz", gzip(""));
  std::filesystem::create_directory(dir / "bare");
  write_file(dir / "bare/data", small_line("a") + "\n");
  std::filesystem::create_directories(dir / "nested/part-0");
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  const auto at = [&](const char* name) { return (dir / name).string() + ": "; };
  CHECK(error_of([&] { RowReader reader({}); }) == "expected at least one file or folder of rows");
  CHECK(reading_error(dir / "none") == at("none") + "cannot open: No such file or directory");
  CHECK(reading_error(dir / "empty/none").starts_with(at("empty/none") + "cannot open: "));
  CHECK(reading_error(dir / "bare") == at("bare") + "expected part-* files in the folder, found none");
  CHECK(reading_error(dir / "nested") == at("nested/part-0") + "expected a regular file");
  CHECK(reading_error(dir / "pipe") == at("pipe") + "expected a regular file");
  CHECK(reading_error(dir / "empty") == at("empty") + "expected rows, but it is empty");
  CHECK(reading_error(dir / "empty.gz") == at("empty.gz") + "expected rows, but it is empty");
}

TEST_CASE("a part that vanishes after the listing is an error") {
  TempDir dir;
  write_file(dir / "part-0", small_line("a") + "\n");
  write_file(dir / "part-1", small_line("b") + "\n");
  RowReader reader({dir.path()});
  std::filesystem::remove(dir / "part-1");
  Row row;
  REQUIRE(reader.next(row));
  CHECK(error_of([&] { reader.next(row); }) ==
        (dir / "part-1").string() + ": cannot open: No such file or directory");
}

TEST_CASE("an empty part is passed over, a folder of empty parts is refused") {
  TempDir dir;
  for (const char* name : {"part-0", "part-2", "part-4"}) write_file(dir / name, "");
  CHECK(reading_error(dir.path()) == dir.path().string() + ": expected rows, but it is empty");
  write_file(dir / "part-1", small_line("a") + "\n");
  write_file(dir / "part-3", gzip(small_line("b") + "\n"));
  CHECK(tweets(RowReader({dir.path()})) == std::vector<std::string>{"a", "b"});
  // Rows of one input do not excuse another.
  write_file(dir / "empty", "");
  CHECK(error_of([&] {
          tweets(RowReader({dir.path(), dir / "empty"}));
        }) == (dir / "empty").string() + ": expected rows, but it is empty");
}

TEST_CASE("empty lines and Windows line ends are refused") {
  TempDir dir;
  const std::string line = small_line("a");
  write_file(dir / "first", "\n" + line + "\n");
  write_file(dir / "middle", line + "\n\n" + line + "\n");
  write_file(dir / "last", line + "\n\n");
  write_file(dir / "only", "\n");
  write_file(dir / "windows", line + "\r\n" + line + "\r\n");
  const std::string empty = ": expected a row, got an empty line";
  CHECK(reading_error(dir / "first") == (dir / "first").string() + ": line 1" + empty);
  CHECK(reading_error(dir / "middle") == (dir / "middle").string() + ": line 2" + empty);
  CHECK(reading_error(dir / "last") == (dir / "last").string() + ": line 2" + empty);
  CHECK(reading_error(dir / "only") == (dir / "only").string() + ": line 1" + empty);
  CHECK(reading_error(dir / "windows").find("line 1: expected no control bytes") != std::string::npos);
  CHECK(reading_error(dir / "windows").find("a carriage return") != std::string::npos);
}

TEST_CASE("all rows of an input have labels, or none") {
  TempDir dir;
  write_file(dir / "with", small_line("a") + "\n" + small_line("b") + "\n");
  write_file(dir / "without", small_line("c", false) + "\n" + small_line("d", false) + "\n");
  write_file(dir / "part-0", small_line("e") + "\n");
  write_file(dir / "part-1", small_line("f", false) + "\n");
  CHECK(tweets(RowReader({dir / "with", dir / "without"})).size() == 4);
  CHECK(reading_error(dir.path()) ==
        (dir / "part-1").string() + ": line 1: expected 24 fields as in the first row, got 20");
  write_file(dir / "part-0", small_line("e", false) + "\n" + small_line("f") + "\n");
  CHECK(reading_error(dir.path()) ==
        (dir / "part-0").string() + ": line 2: expected 20 fields as in the first row, got 24");
  CHECK(reading_error(dir / "without", {.require_labels = true}) ==
        (dir / "without").string() + ": line 1: expected 24 fields (the labels are needed), got 20");
  CHECK(tweets(RowReader({dir / "with"}, {.require_labels = true})).size() == 2);
}

TEST_CASE("a line beyond the limit is refused, however the blocks fall") {
  TempDir dir;
  const std::string good = small_line("a") + "\n";
  write_file(dir / "ended", good + std::string(RowLimits::line_bytes + 1, '1') + "\n" + good);
  write_file(dir / "unended", good + std::string(3 * RowLimits::line_bytes, '1'));
  for (const size_t block : {size_t{4096}, size_t{1} << 18, size_t{1} << 22}) {
    for (const char* name : {"ended", "unended"}) {
      CHECK(reading_error(dir / name, {.block_bytes = block}) ==
            (dir / name).string() + ": line 2: expected a line of at most 1048576 bytes");
    }
  }
  // The longest line is none too long.
  write_file(dir / "longest", std::string(RowLimits::line_bytes, '1') + "\n");
  CHECK(reading_error(dir / "longest") ==
        (dir / "longest").string() + ": line 1: expected 20 fields, or 24 with labels, got 1");
}

TEST_CASE("long lines of every mix of lengths are read, however they lie in the buffer") {
  TempDir dir;
  auto rows = random_rows(12);
  const std::string filler(RowLimits::id_bytes - 1, 'h');
  // Items of a list, 256 bytes each with the tab: 4070 of them nearly fill a line. In blocks of 400,000 the
  // second line starts in the first half of the first block and ends behind the third, where the buffer has
  // no room for a fourth.
  const std::vector<size_t> items = {740, 4070, 4000, 10, 2100, 3000, 1, 3900, 1000, 3900, 2500, 4000};
  for (size_t i = 0; i < rows.size(); ++i) rows[i].hashtags.assign(items[i], filler);
  const std::string text = text_of(rows);
  write_file(dir / "plain", text);
  write_file(dir / "gzip", gzip(text));
  for (const size_t block :
       {size_t{1000}, size_t{1} << 16, size_t{1} << 18, size_t{400'000}, size_t{1} << 20, size_t{1} << 24}) {
    CAPTURE(block);
    check_rows(RowReader({dir / "plain"}, {.block_bytes = block}), rows);
    check_rows(RowReader({dir / "gzip"}, {.block_bytes = block}), rows);
  }
}

TEST_CASE("gzip data cut at any length is refused, or its rows are a prefix") {
  TempDir dir;
  const auto rows = random_rows(5);
  const std::string whole = gzip(text_of(rows));
  for (size_t size = 2; size < whole.size(); ++size) {
    CAPTURE(size);
    write_file(dir / "cut", whole.substr(0, size));
    CHECK(reading_error(dir / "cut") == (dir / "cut").string() + ": the gzip data is cut short");
  }
  // A first byte alone is no gzip file yet, and no row either.
  write_file(dir / "cut", whole.substr(0, 1));
  CHECK(reading_error(dir / "cut").find("line 1: expected no control bytes") != std::string::npos);
}

TEST_CASE("the rows before damaged or cut gzip data are given at any block size") {
  TempDir dir;
  const auto rows = random_rows(30);
  const std::string whole = gzip(text_of(rows));
  std::string damaged = whole;
  damaged.replace(damaged.size() / 2, 8, std::string(8, '\xff'));
  write_file(dir / "damaged", damaged);
  write_file(dir / "cut", whole.substr(0, whole.size() / 2));
  for (const char* name : {"damaged", "cut"}) {
    std::vector<uint64_t> given;
    std::vector<std::string> errors;
    for (const size_t block : {size_t{1}, size_t{7}, size_t{100}, size_t{1} << 18}) {
      RowReader reader({dir / name}, {.block_bytes = block});
      Row row;
      uint64_t count = 0;
      errors.push_back(error_of([&] {
        while (reader.next(row)) ++count;
      }));
      given.push_back(count);
    }
    CAPTURE(errors[0]);
    CHECK(given[0] > 0);
    CHECK(given == std::vector<uint64_t>(given.size(), given[0]));
  }
}

TEST_CASE("damaged gzip data and trailing bytes are refused") {
  TempDir dir;
  const auto rows = random_rows(20);
  const std::string whole = gzip(text_of(rows));
  for (const char* tail : {"x", "\x1f", "trailing text", "\x1f\x8b"}) {
    write_file(dir / "tail", whole + tail);
    CHECK(reading_error(dir / "tail").find("gzip data") != std::string::npos);
  }
  // The checksum of the text and its length are the last 8 bytes.
  for (size_t back = 1; back <= 8; ++back) {
    std::string damaged = whole;
    damaged[damaged.size() - back] = static_cast<char>(damaged[damaged.size() - back] ^ 0x10);
    write_file(dir / "sum", damaged);
    CHECK(reading_error(dir / "sum").find(": corrupt gzip data: incorrect ") != std::string::npos);
  }
  std::string damaged = whole;
  damaged[2] = 9;
  write_file(dir / "method", damaged);
  CHECK(reading_error(dir / "method").find("corrupt gzip data: unknown compression method") !=
        std::string::npos);
}

TEST_CASE("a reader can be moved between rows") {
  TempDir dir;
  write_file(dir / "rows", small_line("a") + "\n" + small_line("b") + "\n");
  RowReader first({dir / "rows"});
  Row row;
  REQUIRE(first.next(row));
  RowReader second = std::move(first);
  REQUIRE(second.next(row));
  CHECK(row.tweet_id == "b");
  CHECK(second.line() == 2);
}
