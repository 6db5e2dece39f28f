// The simulated world: the same bytes everywhere, rows that parse, rates as asked, true probabilities that
// are true, and memory that does not grow with the rows.

#include "kinglet/simulate/simulate.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <map>
#include <new>
#include <set>
#include <string>

#include <malloc.h>

#include "kinglet/formats/error.h"
#include "kinglet/formats/row_reader.h"
#include "kinglet/metrics/metrics.h"
#include "kinglet/metrics/scores_reader.h"
#include "kinglet/metrics/streaming.h"

#include "support/random.h"
#include "support/support.h"

namespace {

std::atomic<size_t> allocations{0};
std::atomic<size_t> live_bytes{0};
std::atomic<size_t> peak_bytes{0};

// Not inlined: g++ would see malloc's memory go to delete.
[[gnu::noinline]] void* allocate(size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  ++allocations;
  live_bytes += ::malloc_usable_size(memory);
  peak_bytes = std::max<size_t>(peak_bytes, live_bytes);
  return memory;
}

[[gnu::noinline]] void release(void* memory) noexcept {
  if (memory == nullptr) return;
  live_bytes -= ::malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(size_t size) {
  return allocate(size);
}
void operator delete(void* memory) noexcept {
  release(memory);
}
void operator delete(void* memory, size_t) noexcept {
  release(memory);
}

using namespace kinglet;
using namespace kinglet::simulate;
using namespace kinglet::test;

namespace {

WorldOptions small_world(uint64_t rows, uint64_t seed = 1) {
  WorldOptions options;
  options.rows = rows;
  options.seed = seed;
  return options;
}

// FNV-1a, so that the numbers below depend on nothing else of the project.
void hash_into(uint64_t& hash, std::string_view bytes) {
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100'0000'01B3;
}

struct Hashes {
  uint64_t rows = 0xCBF2'9CE4'8422'2325;
  uint64_t truth = 0xCBF2'9CE4'8422'2325;
  friend bool operator==(const Hashes&, const Hashes&) = default;
};

Hashes hashes_of(const WorldOptions& options, uint64_t rows) {
  World world(options);
  Hashes hashes;
  SimulatedRow row;
  for (uint64_t i = 0; i < rows && world.next(row); ++i) {
    hash_into(hashes.rows, row.line);
    hash_into(hashes.truth, row.truth);
  }
  return hashes;
}

/// Parses every row of the world and hands it over with the simulated one.
template <typename Take>
void for_each_row(const WorldOptions& options, const Take& take) {
  World world(options);
  formats::RowParser parser;
  Row parsed;
  for (SimulatedRow row; world.next(row);) {
    parser.parse(row.line.substr(0, row.line.size() - 1), parsed);
    take(row, parsed);
  }
}

/// Every file below the folder, by its relative path.
std::map<std::string, std::string> files_of(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files[std::filesystem::relative(entry.path(), folder).string()] = read_file(entry.path());
    }
  }
  return files;
}

size_t entries_of(const std::filesystem::path& folder) {
  size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++entries;
  return entries;
}

}  // namespace

TEST_CASE("every compiler and build makes the same rows and the same truth") {
  const Hashes hashes = hashes_of(small_world(10'000), 10'000);
  CHECK(hashes.rows == 14'610'517'139'770'616'076U);
  CHECK(hashes.truth == 17'125'127'157'368'936'557U);
}

TEST_CASE("a seed decides the world") {
  CHECK(hashes_of(small_world(500), 500) == hashes_of(small_world(500), 500));
  const Hashes other = hashes_of(small_world(500, 2), 500);
  CHECK(hashes_of(small_world(500), 500).rows != other.rows);
}

TEST_CASE("the rows are of the row format, in time order, and valid follows train") {
  const WorldOptions options = small_world(30'000);
  const int64_t valid_start = options.start + 26 * 86'400;
  int64_t last = options.start;
  Split split = Split::train;
  std::set<std::string> languages;
  std::set<std::pair<std::string, std::string>> shown;
  std::array<uint64_t, 2> rows{};
  for_each_row(options, [&](const SimulatedRow& row, const Row& parsed) {
    CHECK(parsed.has_labels);
    CHECK(parsed.tweet_timestamp >= last);
    last = parsed.tweet_timestamp;
    CHECK(row.split >= split);
    split = row.split;
    CHECK((row.split == Split::valid) == (parsed.tweet_timestamp >= valid_start));
    CHECK((row.split == Split::valid) == (parsed.time() >= valid_start));
    CHECK(parsed.time() < options.start + 28 * 86'400);
    CHECK(parsed.author_id != parsed.reader_id);
    for (size_t r = 0; r < kReactions; ++r) {
      CHECK(row.reacted[r] == (parsed.reaction_timestamps[r] != 0));
      if (row.reacted[r]) CHECK(parsed.reaction_timestamps[r] >= parsed.tweet_timestamp);
    }
    CHECK(parsed.tokens.front() == 101);
    CHECK(parsed.tokens.back() == 102);
    for (const uint32_t token : parsed.tokens) CHECK(token < options.vocabulary);
    languages.emplace(parsed.language);
    CHECK(shown.emplace(parsed.tweet_id, parsed.reader_id).second);
    ++rows[static_cast<size_t>(row.split)];
  });
  CHECK(rows[0] + rows[1] == options.rows);
  CHECK(static_cast<double>(rows[1]) / 30'000 == doctest::Approx(2.0 / 28).epsilon(0.1));
  CHECK(languages.size() > 10);
  CHECK(languages.size() <= 66);
}

TEST_CASE("the truth is a scores line with the probabilities that the reactions were drawn with") {
  const WorldOptions options = small_world(5'000);
  const TempDir folder;
  SimulateOptions simulation;
  simulation.world = options;
  simulation.part_rows = 1'000;
  const SimulateReport report = simulate::simulate(simulation, folder / "world");
  CHECK(report.train.rows + report.valid.rows == 5'000);

  World world(options);
  metrics::MatchedScores train(folder / "world/truth/train");
  metrics::MatchedScores valid(folder / "world/truth/valid");
  formats::RowReader train_rows({folder / "world/train"});
  formats::RowReader valid_rows({folder / "world/valid"});
  std::array<std::vector<float>, kReactions> expected;
  for (SimulatedRow row; world.next(row);) {
    const bool in_train = row.split == Split::train;
    Row parsed;
    REQUIRE((in_train ? train_rows : valid_rows).next(parsed));
    (in_train ? train : valid).add(parsed, in_train ? train_rows : valid_rows);
    if (!in_train) continue;
    for (size_t r = 0; r < kReactions; ++r) expected[r].push_back(row.probabilities[r]);
  }
  train.finish(train_rows);
  valid.finish(valid_rows);
  for (size_t r = 0; r < kReactions; ++r) {
    const auto read = train.probabilities().of(static_cast<Reaction>(r));
    CHECK(std::vector<float>(read.begin(), read.end()) == expected[r]);
  }
}

TEST_CASE("reactions come at the real data's rates, and the true probabilities are calibrated") {
  constexpr std::array<double, kReactions> kRates{0.40, 0.03, 0.09, 0.007};
  constexpr std::array<double, kReactions> kTolerances{0.05, 0.12, 0.08, 0.15};
  World world(small_world(200'000));
  std::array<double, kReactions> positives{};
  std::array<double, kReactions> expected{};
  std::array<double, kReactions> variance{};
  for (SimulatedRow row; world.next(row);) {
    for (size_t r = 0; r < kReactions; ++r) {
      const auto p = static_cast<double>(row.probabilities[r]);
      positives[r] += row.reacted[r] ? 1 : 0;
      expected[r] += p;
      variance[r] += p * (1 - p);
    }
  }
  for (size_t r = 0; r < kReactions; ++r) {
    CAPTURE(r);
    CHECK(positives[r] / 200'000 == doctest::Approx(kRates[r]).epsilon(kTolerances[r]));
    CHECK(std::abs(positives[r] - expected[r]) < 4 * std::sqrt(variance[r]));
  }
}

TEST_CASE("accounts are the same in all their rows, authors are readers too, counts only grow") {
  struct Seen {
    int64_t created;
    bool verified;
    uint64_t followers;
  };
  std::map<std::string, Seen, std::less<>> users;
  std::set<std::string> authors, readers;
  const auto check = [&](std::string_view id, int64_t created, bool verified, uint64_t followers) {
    const auto [found, fresh] = users.try_emplace(std::string(id), Seen{created, verified, followers});
    CHECK(found->second.created == created);
    CHECK(found->second.verified == verified);
    CHECK(found->second.followers <= followers);
    found->second.followers = followers;
  };
  uint64_t followed = 0;
  for_each_row(small_world(20'000), [&](const SimulatedRow&, const Row& row) {
    check(row.author_id, row.author_account_creation, row.author_is_verified, row.author_follower_count);
    check(row.reader_id, row.reader_account_creation, row.reader_is_verified, row.reader_follower_count);
    authors.emplace(row.author_id);
    readers.emplace(row.reader_id);
    followed += row.engagee_follows_engager ? 1 : 0;
  });
  size_t both = 0;
  for (const std::string& author : authors) both += readers.count(author);
  CHECK(both > authors.size() / 4);
  CHECK(followed > 4'000);
  CHECK(followed < 16'000);
}

TEST_CASE("the parts are bounded, and hold the rows of one stream") {
  const TempDir folder;
  SimulateOptions options;
  options.world = small_world(2'500);
  options.part_rows = 1'000;
  const SimulateReport report = simulate::simulate(options, folder / "a");
  CHECK(report.train.parts == 3);
  CHECK(report.valid.parts == 1);
  options.part_rows = 1'000'000;
  simulate::simulate(options, folder / "b");
  const auto parts = files_of(folder / "a");
  const auto whole = files_of(folder / "b");
  CHECK(parts.size() == 8);
  CHECK(whole.size() == 4);
  CHECK(parts.at("train/part-00000") + parts.at("train/part-00001") + parts.at("train/part-00002") ==
        whole.at("train/part-00000"));
  CHECK(parts.at("train/part-00000").size() + parts.at("train/part-00001").size() +
            parts.at("train/part-00002").size() ==
        report.train.bytes);
  for (const char* part : {"truth/train/part-00000", "truth/train/part-00002", "truth/valid/part-00000"}) {
    CHECK(parts.at(part).starts_with(metrics::kScoresHeader));
  }
}

TEST_CASE("one row, one day, no days for validation") {
  const TempDir folder;
  SimulateOptions options;
  options.world = small_world(1);
  options.world.days = 1;
  options.world.valid_days = 0;
  options.world.readers = 1;
  options.world.authors = 1;
  options.world.languages = 1;
  const SimulateReport report = simulate::simulate(options, folder / "world");
  CHECK(report.train.rows == 1);
  CHECK(report.valid.rows == 0);
  CHECK(report.valid.parts == 0);
  CHECK(report.world.readers == 64);
  options.world.rows = 3'000;
  CHECK(simulate::simulate(options, folder / "more").train.rows == 3'000);
}

TEST_CASE("options that make no world are refused, and nothing is written") {
  const TempDir folder;
  const auto refusal = [&](auto change) {
    SimulateOptions options;
    options.world = small_world(100);
    change(options);
    const std::string message = error_of([&] { simulate::simulate(options, folder / "world"); });
    CHECK(entries_of(folder.path()) == 0);
    return message;
  };
  const auto contains = [](const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(contains(refusal([](auto& o) { o.world.rows = 0; }), "1 to 10^12 rows"));
  CHECK(contains(refusal([](auto& o) { o.world.days = 0; }), "days"));
  CHECK(contains(refusal([](auto& o) { o.world.valid_days = 28; }), "days"));
  CHECK(contains(refusal([](auto& o) { o.world.days = 4'000'000'000; }), "days"));
  CHECK(contains(refusal([](auto& o) { o.world.vocabulary = 1'000; }), "vocabulary"));
  CHECK(contains(refusal([](auto& o) { o.world.languages = 0; }), "languages"));
  CHECK(contains(refusal([](auto& o) { o.world.start = 1; }), "midnight"));
  CHECK(contains(refusal([](auto& o) { o.world.start = INT64_MAX / 86'400 * 86'400; }), "midnight"));
  CHECK(contains(refusal([](auto& o) { o.world.readers = UINT64_MAX; }), "readers"));
  CHECK(contains(refusal([](auto& o) { o.world.authors = 2'000; }), "authors"));
  CHECK(contains(refusal([](auto& o) { o.part_rows = 0; }), "part"));
  CHECK(contains(refusal([](auto& o) {
                   o.world.rows = 1'000'000;
                   o.part_rows = 1;
                 }),
                 "parts"));
}

TEST_CASE("a folder that holds something, a full disk and an interruption leave it as it was") {
  const TempDir folder;
  SimulateOptions options;
  options.world = small_world(20'000);
  std::filesystem::create_directory(folder / "used");
  write_file(folder / "used/notes", "mine");
  CHECK(error_of([&] { simulate::simulate(options, folder / "used"); }).find("missing or empty") !=
        std::string::npos);
  CHECK(files_of(folder / "used").size() == 1);
  {
    const FileSizeLimit full(100'000);
    CHECK(error_of([&] { simulate::simulate(options, folder / "new"); }).find("cannot write") !=
          std::string::npos);
  }
  CHECK(entries_of(folder.path()) == 1);
  options.progress = [](std::string_view, uint64_t done, uint64_t total, std::string_view) {
    CHECK(total == 20'000);
    if (done > 0) throw Interrupted();
  };
  CHECK_THROWS_AS(simulate::simulate(options, folder / "new"), Interrupted);
  CHECK(entries_of(folder.path()) == 1);
  std::filesystem::create_directory(folder / "empty");
  options.progress = {};
  options.world.rows = 10;
  simulate::simulate(options, folder / "empty");
  CHECK(std::filesystem::exists(folder / "empty/train/part-00000"));
}

TEST_CASE("memory does not grow with the rows, and a row allocates nothing") {
  const auto peak_of = [](uint64_t rows) {
    peak_bytes = live_bytes.load();
    const size_t before = live_bytes;
    World world(small_world(rows));
    SimulatedRow row;
    for (int i = 0; i < 20'000; ++i) world.next(row);
    return peak_bytes - before;
  };
  const size_t small = peak_of(100'000);
  const size_t large = peak_of(100'000'000'000);
  CHECK(small < size_t{4} << 20);
  CHECK(large < size_t{4} << 20);

  World world(small_world(400'000));
  SimulatedRow row;
  for (int i = 0; i < 50'000; ++i) world.next(row);
  const size_t before = allocations;
  for (int i = 0; i < 50'000; ++i) world.next(row);
  // A line may still turn out longer than all before it.
  CHECK(allocations - before <= 2);
}

TEST_CASE("the writer's peak is that of a part's buffers") {
  const TempDir folder;
  SimulateOptions options;
  options.part_rows = 10'000;
  const auto peak_of = [&](uint64_t rows, const char* name) {
    options.world = small_world(rows);
    peak_bytes = live_bytes.load();
    const size_t before = live_bytes;
    simulate::simulate(options, folder / name);
    return peak_bytes - before;
  };
  const size_t short_run = peak_of(20'000, "short");
  const size_t long_run = peak_of(80'000, "long");
  CHECK(long_run < short_run + (size_t{64} << 10));
  CHECK(long_run < size_t{16} << 20);
}

TEST_CASE("streamed metrics are the exact ones but for the last digits of AP") {
  Random random(31);
  std::vector<float> probabilities;
  std::vector<uint8_t> positive;
  metrics::StreamingMetrics streaming;
  for (int i = 0; i < 50'000; ++i) {
    const auto p = static_cast<float>(random.uniform(0, 1) * random.uniform(0, 1));
    probabilities.push_back(p);
    positive.push_back(random.uniform(0, 1) < static_cast<double>(p) ? 1 : 0);
    streaming.add(p, positive.back() != 0);
  }
  const auto result = streaming.result();
  REQUIRE(result.metrics.has_value());
  CHECK(result.rows == 50'000);
  const double ap = *metrics::average_precision(std::span<const float>(probabilities), positive);
  const double rce = *metrics::relative_cross_entropy(std::span<const float>(probabilities), positive);
  CHECK(std::abs(result.metrics->average_precision - ap) < 1e-3);
  CHECK(result.metrics->relative_cross_entropy == doctest::Approx(rce).epsilon(1e-12));
  CHECK(!metrics::StreamingMetrics().result().metrics.has_value());
}
