#include "../../converter/src/row_rounding.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "support/random.h"
#include "support/support.h"

using kinglet::converter::ActiveRowSets;
using kinglet::converter::ByteRows;
using kinglet::converter::round_once_rows;
using kinglet::test::Random;

namespace {

constexpr uint64_t kColumns = 70;  // more than are taken at a time
constexpr uint32_t kFeatures = 20;
constexpr uint32_t kValues = 6;  // of a feature, the first ones more often than the others
constexpr uint32_t kRows = kFeatures * kValues + 1;
constexpr uint32_t kNever = kRows - 1;

/// Each request has at most one value of each feature.
ActiveRowSets draw(Random& random, size_t requests) {
  ActiveRowSets sets;
  for (size_t t = 0; t < requests; ++t) {
    const uint64_t kind = random.below(3);  // of the request: what its features have in common
    for (uint32_t f = 0; f < kFeatures; ++f) {
      const uint64_t value = random.below(4) == 0 ? random.below(kValues + 1) : kind;
      if (value < kValues) sets.rows.push_back(f * kValues + static_cast<uint32_t>(value));
    }
    sets.ends.push_back(sets.rows.size());
  }
  return sets;
}

struct Fixture {
  Fixture() {
    Random random(61);
    for (size_t i = 0; i < kRows * kColumns; ++i) values.push_back(random.uniform(-0.02, 0.02));
    seen = draw(random, 400);
    unseen = draw(random, 400);
  }

  double nearest(const ByteRows& rows, size_t row, uint64_t c) const {
    const double unit = rows.scale[c];
    return std::clamp(std::nearbyint(values[row * kColumns + c] / unit), -127.0, 127.0) * unit;
  }

  /// Mean squared error of what the requests add up, stored(row, column) standing for values.
  template <typename Stored>
  double error(const ActiveRowSets& sets, const std::vector<double>& bias, const Stored& stored) const {
    double total = 0;
    size_t begin = 0;
    for (const size_t end : sets.ends) {
      for (uint64_t c = 0; c < kColumns; ++c) {
        double lacking = -bias[c];
        for (size_t i = begin; i < end; ++i)
          lacking += values[sets.rows[i] * kColumns + c] - stored(sets.rows[i], c);
        total += lacking * lacking;
      }
      begin = end;
    }
    return total / static_cast<double>(sets.ends.size() * kColumns);
  }

  std::vector<double> values;
  ActiveRowSets seen;
  ActiveRowSets unseen;
};

}  // namespace

TEST_CASE("8-bit rows keep what requests add up better than rows rounded one by one, unseen requests' too") {
  const Fixture fixture;
  const ByteRows rows = round_once_rows(fixture.values, kColumns, 0, fixture.seen, {});
  REQUIRE(rows.units.size() == fixture.values.size());
  REQUIRE(rows.scale.size() == kColumns);
  REQUIRE(rows.bias.size() == kColumns);
  CHECK(std::all_of(rows.units.begin(), rows.units.end(), [](int8_t unit) { return unit >= -127; }));
  const auto carried = [&](size_t row, uint64_t c) { return rows.units[row * kColumns + c] * rows.scale[c]; };
  const auto nearest = [&](size_t row, uint64_t c) { return fixture.nearest(rows, row, c); };
  const std::vector<double> none(kColumns);
  for (const ActiveRowSets* sets : {&fixture.seen, &fixture.unseen}) {
    const double share = fixture.error(*sets, rows.bias, carried) / fixture.error(*sets, none, nearest);
    MESSAGE("of plain rounding's squared error: " << share);
    CHECK(share < 0.5);
  }
  // What no request has is rounded by itself.
  for (uint64_t c = 0; c < kColumns; ++c) CHECK(carried(kNever, c) == nearest(kNever, c));
}

TEST_CASE("8-bit rows without requests go to the nearest, and the same values give the same rows") {
  Fixture fixture;
  const ByteRows alone = round_once_rows(fixture.values, kColumns, 0, {}, {});
  for (size_t row = 0; row < kRows; ++row) {
    for (uint64_t c = 0; c < kColumns; ++c)
      CHECK(alone.units[row * kColumns + c] * alone.scale[c] == fixture.nearest(alone, row, c));
  }
  CHECK(std::all_of(alone.bias.begin(), alone.bias.end(), [](double value) { return value == 0; }));
  const ByteRows first = round_once_rows(fixture.values, kColumns, 0, fixture.seen, {});
  const ByteRows again = round_once_rows(fixture.values, kColumns, 0, fixture.seen, {});
  CHECK(first.units == again.units);
  CHECK(first.bias == again.bias);

  std::fill(fixture.values.begin(), fixture.values.end(), 0.0);
  const ByteRows zeros = round_once_rows(fixture.values, kColumns, 0, fixture.seen, {});
  CHECK(std::all_of(zeros.units.begin(), zeros.units.end(), [](int8_t unit) { return unit == 0; }));
  CHECK(std::all_of(zeros.scale.begin(), zeros.scale.end(), [](double scale) { return scale == 1; }));
}

TEST_CASE("8-bit rows beyond those that make up for each other are rounded all the same") {
  Random random(62);
  constexpr uint64_t kFew = 3;
  constexpr uint32_t kMany = 310;
  std::vector<double> values;
  for (size_t i = 0; i < kMany * kFew; ++i) values.push_back(random.uniform(-1, 1));
  ActiveRowSets sets;
  for (uint32_t row = 0; row < kMany; ++row) {
    for (uint32_t other = 0; other <= (row < 10 ? 5U : 0U); ++other) sets.rows.push_back(row);
    sets.ends.push_back(sets.rows.size());
  }
  const ByteRows rows = round_once_rows(values, kFew, 0, sets, {}, kMany - 30);
  for (size_t i = 0; i < values.size(); ++i)
    CHECK(std::fabs(rows.units[i] * rows.scale[i % kFew] - values[i]) < 2 * rows.scale[i % kFew]);
}

TEST_CASE("the first columns fit 4 bits, their units losing least, and keep what requests add up, too") {
  const Fixture fixture;
  constexpr uint64_t kNarrow = kColumns / 2;
  const ByteRows rows = round_once_rows(fixture.values, kColumns, kNarrow, fixture.seen, {});
  const ByteRows wide = round_once_rows(fixture.values, kColumns, 0, fixture.seen, {});
  bool fit = true;
  for (size_t i = 0; i < rows.units.size(); ++i) {
    const bool narrow = i % kColumns < kNarrow;
    fit &= std::abs(rows.units[i]) <= (narrow ? 7 : 127);
    if (!narrow) fit &= rows.units[i] == wide.units[i];
  }
  CHECK(fit);
  for (uint64_t c = 0; c < kNarrow; ++c) CHECK(rows.scale[c] > 8 * wide.scale[c]);
  const auto carried = [&](size_t row, uint64_t c) { return rows.units[row * kColumns + c] * rows.scale[c]; };
  const auto nearest = [&](size_t row, uint64_t c) {
    const double unit = rows.scale[c];
    const double limit = c < kNarrow ? 7 : 127;
    return std::clamp(std::nearbyint(fixture.values[row * kColumns + c] / unit), -limit, limit) * unit;
  };
  const std::vector<double> none(kColumns);
  for (const ActiveRowSets* sets : {&fixture.seen, &fixture.unseen})
    CHECK(fixture.error(*sets, rows.bias, carried) < 0.5 * fixture.error(*sets, none, nearest));
}
