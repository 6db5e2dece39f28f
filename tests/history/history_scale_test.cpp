// Many rows in little memory: 300,000 with 16M always, 20 million with 1G in `./run soak`.

#include <chrono>
#include <cstdlib>

#include <sys/resource.h>

#include "kinglet/formats/history_file.h"
#include "kinglet/history/builder.h"

#include "history/row_generator.h"
#include "support/support.h"

using namespace kinglet::test;
using kinglet::formats::HistoryFile;
using kinglet::formats::HistoryPart;
using kinglet::formats::id_fingerprint;
using kinglet::history::BuildOptions;
using kinglet::history::BuildReport;
using kinglet::history::HistoryBuilder;

namespace {

#ifdef KINGLET_TEST_SANITIZED
constexpr bool kMemoryIsMeasured = false;  // the sanitizers' shadow memory counts too
#else
constexpr bool kMemoryIsMeasured = true;
#endif

uint64_t peak_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1'024;
}

/// Builds from generated rows, one in ten of them for validation, and checks size, memory and spilling.
void build(uint64_t rows, uint64_t users, uint64_t memory) {
  const TempDir folder;
  const uint64_t before = peak_bytes();
  BuildOptions options;
  options.memory_bytes = memory;
  HistoryBuilder builder(folder / "history", options);
  RowGenerator generator(1, users);
  const auto start = std::chrono::steady_clock::now();
  for (uint64_t row = 0; row < rows - rows / 10; ++row) builder.add_train(generator.next());
  for (uint64_t row = 0; row < rows / 10; ++row) builder.add_valid(generator.next());
  const BuildReport report = builder.finish();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  const uint64_t keys = report.train_keys + report.valid_keys;
  MESSAGE(rows << " rows, " << keys << " keys, " << report.file_bytes << " bytes, " << report.spilled_bytes
               << " spilled, " << report.authors_with_similar << " authors with similar ones, peak "
               << (peak_bytes() >> 20) << " MiB, "
               << static_cast<uint64_t>(static_cast<double>(rows) / seconds.count()) << " rows/s");
  CHECK(report.info.train_rows == rows - rows / 10);
  CHECK(report.spilled_bytes > 2 * keys * 16);  // more than one run
  CHECK(report.file_bytes < 24 * keys);
  CHECK(report.authors_with_similar > 0);
  if (kMemoryIsMeasured) CHECK(peak_bytes() < before + memory);

  HistoryFile(folder / "history", HistoryFile::Verify::full);
}

}  // namespace

TEST_CASE("300,000 rows spill and stay within 16M") {
  build(300'000, 100'000, uint64_t{16} << 20);
}

TEST_CASE("20 million rows are built within 1G (KINGLET_SOAK=1)") {
  if (std::getenv("KINGLET_SOAK") == nullptr) return report_skipped("runs in ./run soak");
  build(20'000'000, 2'000'000, uint64_t{1} << 30);
}
