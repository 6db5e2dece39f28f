// What the builder keeps on disk: runs, their merging, and the table of counters in front of them.

#include "sorted_runs.h"

#include <algorithm>
#include <map>

#include "counter_map.h"
#include "record_sorter.h"
#include "support/random.h"
#include "support/support.h"

using namespace kinglet::test;
using namespace kinglet::history;
using kinglet::formats::Counts;
using kinglet::formats::Fingerprint;
using kinglet::formats::PackedCounts;

TEST_CASE("many short runs come back as one ascending sequence") {
  const TempDir folder;
  Random random(1);
  // More runs than may be open at once: they are merged on the way.
  for (const size_t count :
       {size_t{0}, size_t{1}, size_t{2}, size_t{255}, size_t{256}, size_t{257}, size_t{700}}) {
    CAPTURE(count);
    RecordSorter sorter(folder / "out", 1, {});  // 1,024 records a run, the least there is
    std::vector<Record> expected;
    for (size_t i = 0; i < count * 1'024; ++i) {
      expected.push_back({random.below(1'000), random.below(1'000)});
      sorter.add(expected.back());
    }
    const SortedRuns runs = std::move(sorter).finish();
    std::sort(expected.begin(), expected.end());
    expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
    std::vector<Record> found;
    SortedRuns::Cursor cursor(runs);
    for (Record record; cursor.next(record);) found.push_back(record);
    CHECK(found == expected);
    CHECK(std::filesystem::is_empty(folder.path()));
  }
}

TEST_CASE("counters are the same with a table of any size") {
  const TempDir folder;
  for (const uint64_t memory : {uint64_t{1}, uint64_t{1} << 18, uint64_t{1} << 26}) {
    CAPTURE(memory);
    Random random(2);
    CounterMap map(folder / "out", memory, {});
    std::map<Fingerprint, Counts> expected;
    for (int i = 0; i < 400'000; ++i) {
      // A few keys with very many rows, and many with few.
      const Fingerprint key = random.below(3) == 0 ? 1 + random.below(3) : (random.next() << 46) | 1;
      const auto counter = static_cast<unsigned>(random.below(PackedCounts::kCounters));
      map.add(key, PackedCounts::one(counter));
      Counts& counts = expected[key];
      ++(counter == kinglet::kReactions ? counts.none : counts.reacted[counter]);
    }
    const SortedRuns runs = std::move(map).finish();
    std::map<Fingerprint, Counts> found;
    Fingerprint key = 0;
    Fingerprint last = 0;
    Counts counts;
    for (CounterCursor cursor(runs); cursor.next(key, counts); last = key) {
      CHECK(key > last);
      found[key] = counts;
    }
    CHECK(found == expected);
  }
}

TEST_CASE("keys that are all alike in their high bits fill a table slowly, but exactly") {
  const TempDir folder;
  CounterMap map(folder / "out", uint64_t{1} << 20, {});
  for (int round = 0; round < 2; ++round) {
    for (Fingerprint key = 1; key <= 20'000; ++key) map.add(key, PackedCounts::one(0));
  }
  const SortedRuns runs = std::move(map).finish();
  Fingerprint key = 0;
  Fingerprint expected = 0;
  Counts counts;
  for (CounterCursor cursor(runs); cursor.next(key, counts);) {
    CHECK(key == ++expected);
    CHECK(counts.reacted[0] == 2);
  }
  CHECK(expected == 20'000);
}
