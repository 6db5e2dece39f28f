// What training rows see where the history is cut into periods, against histories of earlier rows alone.

#include <algorithm>
#include <vector>

#include "kinglet/features/history_values.h"
#include "kinglet/formats/row_reader.h"
#include "kinglet/history/builder.h"

#include "history/world.h"
#include "support/support.h"

using namespace kinglet::test;
using kinglet::Row;
using kinglet::features::history_values;
using kinglet::features::HistorySource;
using kinglet::features::kHistoryValues;
using kinglet::features::kShownValues;
using kinglet::formats::HistoryFile;
using kinglet::formats::HistoryPart;
using kinglet::formats::RowReader;
using kinglet::history::BuildOptions;
using kinglet::history::HistoryBuilder;
using kinglet::history::Periods;

namespace {

struct Seen {
  std::array<double, kHistoryValues> values;
  std::array<double, kShownValues> shown;

  /// Similar authors are found in all rows: their sums are left out.
  bool same_counts(const Seen& other) const {
    for (size_t i = 0; i < values.size(); ++i) {
      if ((i < 20 || i > 24) && values[i] != other.values[i]) return false;
    }
    return shown == other.shown;
  }
};

Seen see(const Row& row, const HistorySource& source) {
  Seen seen{};
  history_values(row, source, seen.values, seen.shown);
  return seen;
}

template <typename Use>
void for_each(const std::filesystem::path& path, const Use& use) {
  RowReader reader({path});
  for (Row row; reader.next(row);) use(row);
}

/// Whether each training row sees just the rows of periods before its own.
void check_world(const TempDir& folder, uint32_t count) {
  Periods periods{INT64_MAX, INT64_MIN, count};
  for_each(folder / "train", [&](const Row& row) {
    periods.first_day = std::min(periods.first_day, kinglet::history::day_of(row));
    periods.last_day = std::max(periods.last_day, kinglet::history::day_of(row));
  });
  BuildOptions options;
  options.own_parts = {HistoryPart::train, folder / "own.kinglet", periods};
  HistoryBuilder all(folder / "all.kinglet", options);
  for_each(folder / "train", [&](const Row& row) { all.add_train(row); });
  for_each(folder / "valid", [&](const Row& row) { all.add_valid(row); });
  all.finish();
  const HistoryFile history(folder / "all.kinglet");
  const HistoryFile own(folder / "own.kinglet");

  size_t rows = 0;
  size_t seeing = 0;
  for (int64_t period = 0; period < int64_t{count}; ++period) {
    HistoryBuilder earlier(folder / "earlier.kinglet", {});
    for_each(folder / "train", [&](const Row& row) {
      if (periods.of(kinglet::history::day_of(row)) < period) earlier.add_train(row);
    });
    earlier.finish();
    const HistoryFile before(folder / "earlier.kinglet");
    for_each(folder / "train", [&](const Row& row) {
      if (periods.of(kinglet::history::day_shown(row)) != period) return;
      const Seen seen = see(row, {&history, &own, HistoryPart::train, period, false});
      CHECK(seen.same_counts(see(row, {.history = &before})));
      ++rows;
      seeing += std::any_of(seen.shown.begin(), seen.shown.end(), [](double v) { return v > 0; }) ? 1 : 0;
    });
  }
  CHECK(rows == 300);
  CHECK(seeing > 30);
}

}  // namespace

TEST_CASE("a row sees the train history of earlier periods, and nothing of the valid history") {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const TempDir folder;
    Random random(seed);
    write_file(folder / "train", random_rows(random, {}, 300));
    write_file(folder / "valid", random_rows(random, {}, 50));
    check_world(folder, 3);
    check_world(folder, 40);  // more than there are days: a day each
  }
}

TEST_CASE("periods cut the days evenly, and take in the days outside") {
  const Periods periods{100, 109, 5};
  CHECK(periods.of(100) == 0);
  CHECK(periods.of(101) == 0);
  CHECK(periods.of(102) == 1);
  CHECK(periods.of(109) == 4);
  CHECK(periods.of(3) == 0);
  CHECK(periods.of(1'000) == 4);
  CHECK(Periods{7, 7, 10}.of(7) == 0);
}
