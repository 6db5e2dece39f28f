// Counts this program's allocations through operator new: what a parser or a reader takes, and that a row
// takes none.

#include <atomic>
#include <cstdlib>
#include <new>

#include <malloc.h>
#include <zlib.h>

#include "kinglet/formats/row_reader.h"

#include "formats/row_text.h"
#include "support/support.h"

namespace {

std::atomic<size_t> allocations{0};
std::atomic<size_t> live_bytes{0};
std::atomic<size_t> peak_bytes{0};

void* allocate(size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  ++allocations;
  live_bytes += ::malloc_usable_size(memory);
  size_t peak = peak_bytes;
  while (live_bytes > peak && !peak_bytes.compare_exchange_weak(peak, live_bytes)) {
  }
  return memory;
}

void release(void* memory) noexcept {
  if (memory == nullptr) return;
  live_bytes -= ::malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(size_t size) {
  return allocate(size);
}
void* operator new[](size_t size) {
  return allocate(size);
}
void operator delete(void* memory) noexcept {
  release(memory);
}
void operator delete[](void* memory) noexcept {
  release(memory);
}
void operator delete(void* memory, size_t) noexcept {
  release(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  release(memory);
}

namespace {

using kinglet::Row;
using kinglet::RowLimits;
using kinglet::formats::RowError;
using kinglet::formats::RowParser;
using kinglet::formats::RowReader;
using kinglet::test::OwnedRow;
using kinglet::test::TempDir;

OwnedRow large_row() {
  OwnedRow row;
  row.tokens.assign(RowLimits::list_items, 7);
  row.hashtags.assign(RowLimits::list_items, "h");
  row.links.assign(1000, "l");
  row.tweet_id = row.language = row.author_id = row.reader_id = "x";
  row.tweet_type = "Quote";
  row.has_labels = true;
  return row;
}

// Peak of bytes held through operator new while `work` runs, beyond what was held before.
template <typename Work>
size_t peak_of(Work&& work) {
  const size_t before = live_bytes;
  peak_bytes = before;
  work();
  return peak_bytes - before;
}

// Writes `text` as gzip over and over.
void write_gzip(const std::filesystem::path& path, const std::string& text, int times) {
  gzFile file = gzopen(path.c_str(), "wb1");
  REQUIRE(file != nullptr);
  for (int i = 0; i < times; ++i) REQUIRE(gzwrite(file, text.data(), static_cast<unsigned>(text.size())) > 0);
  REQUIRE(gzclose(file) == Z_OK);
}

constexpr size_t kReaderBytes =
    size_t{4} << 20;  // parser 1.25 MiB, line 1 MiB, text and gzip blocks 0.5 MiB, and slack

}  // namespace

TEST_CASE("parsing allocates nothing: small rows, the largest lists, and refused rows") {
  std::mt19937_64 random(1);
  std::vector<std::string> lines;
  lines.reserve(800);
  for (int i = 0; i < 500; ++i) lines.push_back(kinglet::test::line_of(kinglet::test::random_row(random)));
  lines.push_back(kinglet::test::line_of(large_row()));
  for (int i = 0; i < 200; ++i) lines.push_back(lines[static_cast<size_t>(i)].substr(0, 40));
  lines.emplace_back("\xff");
  lines.emplace_back();
  RowParser parser;
  Row row;
  RowError error;
  size_t good = 0;
  const size_t before = allocations;
  for (const auto& line : lines) good += parser.parse(line, row, error) ? 1 : 0;
  const size_t after = allocations;
  CHECK(after == before);
  CHECK(good == 501);
}

TEST_CASE("reading a row allocates nothing") {
  TempDir dir;
  std::mt19937_64 random(2);
  std::string text;
  for (int i = 0; i < 2000; ++i) {
    OwnedRow row = kinglet::test::random_row(random);
    row.has_labels = true;
    text += kinglet::test::line_of(row) + "\n";
  }
  kinglet::test::write_file(dir / "plain", text);
  write_gzip(dir / "gzip", text, 1);
  for (const char* name : {"plain", "gzip"}) {
    RowReader reader({dir / name}, {.block_bytes = 3000});
    Row row;
    REQUIRE(reader.next(row));  // opens the file
    const size_t before = allocations;
    size_t rows = 1;
    while (reader.row_index() < 1999 && reader.next(row)) ++rows;
    CHECK(allocations == before);
    CHECK(rows == 2000);
  }
}

TEST_CASE("a reader's memory does not grow with the file") {
  TempDir dir;
  std::string rows;
  std::mt19937_64 random(3);
  for (int i = 0; i < 1000; ++i) {
    OwnedRow row = kinglet::test::random_row(random);
    row.has_labels = true;
    rows += kinglet::test::line_of(row) + "\n";
  }
  write_gzip(dir / "rows", rows, 60);
  uint64_t count = 0;
  CHECK(peak_of([&] {
          RowReader reader({dir / "rows"});
          Row row;
          while (reader.next(row)) ++count;
        }) < kReaderBytes);
  CHECK(count == 60'000);
}

TEST_CASE("a small gzip file that inflates to one endless line takes no more memory than rows do") {
  TempDir dir;
  write_gzip(dir / "bomb", std::string(size_t{1} << 20, '1'), 64);
  CHECK(std::filesystem::file_size(dir / "bomb") < size_t{1} << 20);
  std::string message;
  CHECK(peak_of([&] {
          RowReader reader({dir / "bomb"});
          Row row;
          message = kinglet::test::error_of([&] { reader.next(row); });
          CHECK(reader.bytes_read() <= size_t{1} << 18);  // refused from its first block
        }) < kReaderBytes);
  CHECK(message == (dir / "bomb").string() + ": line 1: expected a line of at most 1048576 bytes");
}
