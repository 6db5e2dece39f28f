#include "schedule.h"

#include <algorithm>
#include <set>

#include "support/support.h"

using namespace kinglet::train;

namespace {

/// Rows 0, 1, ... with one part each.
RowCache cache_of(const kinglet::test::TempDir& folder, const std::vector<int64_t>& parts) {
  RowCache cache(folder.path());
  for (const int64_t part : parts) cache.add({}, part);
  cache.finish();
  return cache;
}

}  // namespace

TEST_CASE("the paper's schedule: linear to 0 over each stage, restarted between them") {
  const kinglet::test::TempDir folder;
  const RowCache train = cache_of(folder, std::vector<int64_t>(10, 0));
  const RowCache valid = cache_of(folder, std::vector<int64_t>(5, 0));
  Settings settings;
  settings.batch = 4;
  settings.rate = 6;
  const std::vector<Pass> passes = make_schedule(settings, train, valid);
  REQUIRE(passes.size() == 5);
  CHECK(passes[0].steps == 3);
  std::vector<double> rates;
  for (size_t i = 0; i < 2; ++i) {
    for (uint64_t step = 0; step < passes[i].steps; ++step) rates.push_back(passes[i].rate_at(step));
  }
  CHECK(rates == std::vector<double>{6, 6 * (1 - 1.0 / 6), 6 * (1 - 2.0 / 6), 3, 6 * (1 - 4.0 / 6),
                                     6 * (1 - 5.0 / 6)});
  CHECK(passes[2].steps == 1);  // 4 rows and one alone
  CHECK(passes[2].rate_at(0) == 6);
  const std::vector<bool> restarts{passes[0].restart, passes[1].restart, passes[2].restart,
                                   passes[3].restart};
  CHECK(restarts == std::vector<bool>{true, false, true, false});
}

TEST_CASE("the program's schedule: a day at a time") {
  const kinglet::test::TempDir folder;
  const RowCache train = cache_of(folder, {7, 5, 7, 5, 6, 7});  // day 6 has one row: no batch
  const RowCache valid = cache_of(folder, {0, 1, 2});
  Settings settings;
  settings.schedule = Schedule::program;
  settings.epochs = 1;
  settings.valid_epochs = 2;
  settings.rate = 1;
  const std::vector<Pass> passes = make_schedule(settings, train, valid);
  REQUIRE(passes.size() == 4);
  CHECK(passes[0].name == "stage 1, epoch 1 of 1, day 1 of 3");
  CHECK(passes[0].day == 5);
  CHECK(passes[0].rate_at(0) == 1);
  CHECK(passes[1].day == 7);
  CHECK(passes[1].rate_at(0) == doctest::Approx(0.96 * 0.96));
  CHECK(passes[2].rate_at(0) == 1);
  CHECK(passes[3].rate_at(0) == 0.5);
  CHECK(std::all_of(passes.begin(), passes.end(), [](const Pass& pass) { return pass.restart; }));
  const std::vector<uint32_t> rows = shuffled_rows(passes[1], train, 1, 1);
  CHECK(std::set<uint32_t>(rows.begin(), rows.end()) == std::set<uint32_t>{0, 2, 5});
}

TEST_CASE("each pass has every row once, in an order of its own that the seed repeats") {
  const kinglet::test::TempDir folder;
  const RowCache cache = cache_of(folder, std::vector<int64_t>(1000, 0));
  const Pass pass = make_schedule({}, cache, RowCache{})[0];
  const std::vector<uint32_t> first = shuffled_rows(pass, cache, 3, 0);
  CHECK(std::set<uint32_t>(first.begin(), first.end()).size() == 1000);
  CHECK(first == shuffled_rows(pass, cache, 3, 0));
  CHECK(first != shuffled_rows(pass, cache, 3, 1));
  CHECK(first != shuffled_rows(pass, cache, 4, 0));
  CHECK_FALSE(std::is_sorted(first.begin(), first.end()));
}
