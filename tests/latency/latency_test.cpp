#include "kinglet/latency/latency.h"

#include <memory>
#include <set>
#include <thread>

#include "kinglet/feature_names.h"
#include "kinglet/formats/row_reader.h"
#include "kinglet/latency/lines.h"

#include "allocations.h"
#include "machine.h"
#include "support/small_world.h"

namespace {

using namespace kinglet;
using namespace kinglet::latency;
using kinglet::test::error_of;
using kinglet::test::SmallWorld;
using kinglet::test::TempDir;

std::filesystem::path small_model(const TempDir& dir) {
  synthetic::NetworkOptions network;
  network.hidden = 32;
  return test::write_model(dir, network, 30'522);
}

/// 1, 2, ... count, from the last to the first.
Quantiles of_count(size_t count) {
  std::vector<double> times;
  for (size_t i = count; i > 0; --i) times.push_back(static_cast<double>(i));
  return quantiles_of(times);
}

Row parsed(formats::RowParser& parser, const std::string& line) {
  Row row;
  parser.parse(line, row);
  return row;
}

}  // namespace

TEST_CASE("a quantile leaves its share of the samples above it, or is not there") {
  const Quantiles none = of_count(0);
  CHECK(none.samples == 0);
  CHECK_FALSE(none.minimum);
  CHECK_FALSE(none.p50);

  const Quantiles nine = of_count(9);
  CHECK(nine.samples == 9);
  CHECK(nine.minimum == 1);
  CHECK(nine.p50 == 5);
  CHECK_FALSE(nine.p90);

  const Quantiles ten = of_count(10);
  CHECK(ten.p50 == 5);
  CHECK(ten.p90 == 9);
  CHECK_FALSE(ten.p99);

  const Quantiles hundred = of_count(100);
  CHECK(hundred.p90 == 90);
  CHECK(hundred.p99 == 99);
  CHECK_FALSE(hundred.p999);

  CHECK_FALSE(of_count(999).p999);
  const Quantiles thousand = of_count(1'000);
  CHECK(thousand.p50 == 500);
  CHECK(thousand.p90 == 900);
  CHECK(thousand.p99 == 990);
  CHECK(thousand.p999 == 999);
}

TEST_CASE("lines are the files' own, chosen by tokens and tweets") {
  const TempDir dir;
  const SmallWorld world(dir, 400);
  const auto all = read_lines({world.score}, {});
  std::string text;
  for (const std::string& line : all) text += line + "\n";
  CHECK(text == test::read_file(world.score / "part-00000"));

  CHECK(read_lines({world.score}, {.maximum = 7}) == std::vector(all.begin(), all.begin() + 7));

  formats::RowParser parser;
  size_t long_rows = 0;
  std::set<std::string> tweets;
  for (const std::string& line : all) {
    const Row row = parsed(parser, line);
    long_rows += row.tokens.size() >= 20 ? 1 : 0;
    tweets.emplace(row.tweet_id);
  }
  REQUIRE(long_rows > 0);
  REQUIRE(long_rows < all.size());
  REQUIRE(tweets.size() < all.size());
  const auto chosen = read_lines({world.score}, {.minimum_tokens = 20});
  CHECK(chosen.size() == long_rows);
  for (const std::string& line : chosen) CHECK(parsed(parser, line).tokens.size() >= 20);

  const auto different = read_lines({world.score}, {.different_tweets = true});
  CHECK(different.size() == tweets.size());
  for (const std::string& line : different)
    CHECK(tweets.erase(std::string(parsed(parser, line).tweet_id)) == 1);

  CHECK(error_of([&] { read_lines({world.score}, {.minimum_tokens = 1'000'000}); }).find("1000000 tokens") !=
        std::string::npos);
}

TEST_CASE("a model that needs more than a row is refused by name") {
  const TempDir dir;
  const SmallWorld world(dir, 80);
  synthetic::NetworkOptions network = test::tiny_network();
  network.numeric = kRowNumerics + kCommunityNumerics;
  network.flags = kRowFlags + kCommunityFlags;
  auto options = test::write_model_sources(dir, network, 100).options();
  options.features.communities = true;
  converter::convert(options, dir / "model.kinglet");
  const auto lines = read_lines({world.score}, {});
  const std::string error = error_of([&] { measure(dir / "model.kinglet", world.history, lines); });
  CHECK(error.find("model.kinglet") != std::string::npos);
  CHECK(error.find("communities") != std::string::npos);
}

TEST_CASE("the report counts what was asked for") {
  const TempDir dir;
  const SmallWorld world(dir, 80);
  const auto model = small_model(dir);
  const auto lines = read_lines({world.score}, {});
  size_t told = 0;
  const Report report =
      measure(model, world.history, lines,
              {.isa = kernels::Isa::scalar, .rounds = 2, .cold_rows = 3, .loads = 4, .repeats = 5},
              [&](auto, auto, auto, auto) { ++told; });
  CHECK(told > 0);
  CHECK(report.isa == kernels::Isa::scalar);
  CHECK(report.rows == 20);
  CHECK(report.warm.samples == 40);
  for (const Quantiles& stage : report.warm_stages.stages) CHECK(stage.samples == 40);
  CHECK(report.warm_stages.score.samples == 40);
  CHECK(report.cold.samples == 3);
  for (const Quantiles& stage : report.cold_stages.stages) CHECK(stage.samples == 3);
  CHECK(report.cold_stages.score.samples == 3);
  CHECK(report.load.samples == 4);
  REQUIRE(report.steadiness);
  CHECK(report.steadiness->score.samples == 5);
  CHECK(report.steadiness->loop.samples == 5);
  CHECK(report.bytes_touched > 0);
  CHECK(report.bytes_touched < static_cast<double>(report.model_bytes));
  CHECK_FALSE(report.bytes_touched_p99);
  CHECK(report.probe_bytes == static_cast<uint64_t>(report.bytes_touched));
  CHECK(report.allocations == (heap_calls() ? std::optional<uint64_t>(0) : std::nullopt));
}

TEST_CASE("an interruption ends the measurement") {
  const TempDir dir;
  const SmallWorld world(dir, 80);
  const auto model = small_model(dir);
  const auto lines = read_lines({world.score}, {});
  CHECK_THROWS_AS(
      measure(model, world.history, lines, {}, [](auto, auto, auto, auto) { throw Interrupted(); }),
      Interrupted);
}

TEST_CASE("calls of the heap are counted, each thread's by itself") {
  const auto before = heap_calls();
  if (!before) return test::report_skipped("this build cannot count allocations");
  {
    const std::unique_ptr<int> one(new int(1));
    CHECK(*one == 1);
  }
  CHECK(*heap_calls() == *before + 2);

  uint64_t other = 1;
  std::thread([&] {
    const uint64_t start = *heap_calls();
    for (int i = 0; i < 100; ++i) static_cast<void>(std::make_shared<int>(i));
    other = *heap_calls() - start;
  }).join();
  CHECK(other == 200);
}

TEST_CASE("a streaming read sees every byte of whole blocks") {
  constexpr size_t kBytes = 4'096;
  alignas(64) std::array<std::byte, kBytes> memory{};
  CHECK(stream(memory) == 0);
  for (size_t i = 0; i < kBytes; ++i) {
    memory[i] = std::byte{0x40};
    REQUIRE(stream(memory) != 0);
    memory[i] = std::byte{0};
  }
}
