// Bytes as a file of rows, plain or gzip: the reader gives the same rows and the same error at two block
// sizes, and every line is taken or refused, with the same values, as the plain parser of the tests does.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "kinglet/formats/row_reader.h"

#include "formats/row_text.h"

namespace {

using kinglet::Row;
using kinglet::formats::RowError;
using kinglet::formats::RowParser;
using kinglet::formats::RowReader;

constexpr uint64_t kMostRows = 20'000;  // gzip inflates up to a thousandfold

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz_rows: %s\n", what);
  std::abort();
}

// The bytes under a path, in memory only.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size) : descriptor_(::memfd_create("rows", MFD_CLOEXEC)) {
    require(descriptor_ >= 0, "memfd_create failed");
    require(::pwrite(descriptor_, data, size, 0) == static_cast<ssize_t>(size), "pwrite failed");
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(descriptor_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

// What reading gives: a digest of the rows, how many, and the error that ended it.
struct Reading {
  uint64_t digest = 0;
  uint64_t rows = 0;
  std::string error;
  bool operator==(const Reading&) const = default;
};

void add(uint64_t& digest, std::string_view text) {
  digest = digest * 31 + std::hash<std::string_view>()(text);
}

Reading read(const std::string& path, size_t block_bytes) {
  Reading reading;
  try {
    RowReader reader({path}, {.block_bytes = block_bytes});
    Row row;
    while (reading.rows < kMostRows && reader.next(row)) {
      ++reading.rows;
      require(reader.row_index() + 1 == reading.rows && reader.line() == reading.rows,
              "rows are numbered wrongly");
      for (const auto text : {row.tweet_id, row.language, row.author_id, row.reader_id})
        add(reading.digest, text);
      for (const auto text : row.hashtags) add(reading.digest, text);
      for (const uint32_t token : row.tokens) reading.digest = reading.digest * 31 + token;
    }
  } catch (const kinglet::Error& error) {
    reading.error = error.what();
  }
  return reading;
}

// How far zlib reads ahead of damaged data depends on the blocks it was given: the place is left out.
void drop_gzip_place(Reading& reading) {
  const size_t at = reading.error.find("corrupt gzip data");
  if (at != std::string::npos) reading.error.erase(0, at);
}

void check_block_sizes(const uint8_t* data, size_t size) {
  const MemoryFile file(data, size);
  Reading large = read(file.path(), size_t{1} << 18);
  Reading small = read(file.path(), size > 0 ? 1 + data[size - 1] % 97 : 1);
  drop_gzip_place(large);
  drop_gzip_place(small);
  require(large == small, "the block size changes what is read");
}

void check_line(RowParser& parser, const std::string& line) {
  const auto exact = std::make_unique<char[]>(line.size());
  std::memcpy(exact.get(), line.data(), line.size());
  const std::string_view view(exact.get(), line.size());
  Row row;
  RowError error;
  const bool good = parser.parse(view, row, error);
  const auto expected = kinglet::test::parse_plainly(line);
  require(good == expected.has_value(), "the parser and the plain parser disagree on a line");
  if (good) {
    require(kinglet::test::difference(row, *expected).empty(),
            "the parser and the plain parser disagree on a value");
    const std::string written = kinglet::test::line_of(*expected);
    require(parser.parse(written, row, error), "a written row is refused");
    require(kinglet::test::difference(row, *expected).empty(), "a written row is another one");
  } else {
    require(error.offset + size_t{error.length} <= line.size(), "an error points outside its line");
    require(!describe(error, view).empty(), "an error has no text");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Two readers book 5 MiB, a hundred times the work of a line: of plain text, only one size in sixteen is
  // read so.
  const bool is_gzip = size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
  if (is_gzip || size % 16 == 0) check_block_sizes(data, size);

  static RowParser parser;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& line : kinglet::test::split(text, '\n')) check_line(parser, line);
  return 0;
}
