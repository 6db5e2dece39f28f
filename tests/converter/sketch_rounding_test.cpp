#include "../../converter/src/sketch_rounding.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kinglet/formats/model_file.h"

#include "support/random.h"
#include "support/support.h"

using kinglet::converter::NarrowRows;
using kinglet::converter::round_sketch_rows;
using kinglet::converter::SketchTokens;
using kinglet::test::Random;

namespace {

constexpr uint64_t kColumns = 70;  // more than are taken at a time
constexpr uint32_t kDepth = 12;
constexpr uint32_t kWidth = 16;
constexpr size_t kTokens = 60;
constexpr size_t kWithoutCodes = 7;

struct Fixture {
  Fixture() {
    Random random(51);
    for (size_t i = 0; i < kTokens * kDepth; ++i)
      codes.push_back(static_cast<uint16_t>(random.below(kWidth)));
    std::fill_n(codes.begin() + kWithoutCodes * kDepth, kDepth, kinglet::formats::kNoCode);
    for (size_t t = 0; t < kTokens; ++t) weights.push_back(1.0 / static_cast<double>(1 + t));
    for (size_t i = 0; i < kDepth * kWidth * kColumns; ++i) values.push_back(random.uniform(-0.02, 0.02));
  }
  SketchTokens tokens() const { return {codes, {.depth = kDepth, .width = kWidth}, weights, {}}; }

  /// Squared error of a token's sums, where stored(at, column) stands for values[at].
  template <typename Stored>
  double error(size_t token, const Stored& stored) const {
    double total = 0;
    for (uint64_t c = 0; c < kColumns; ++c) {
      double lacking = 0;
      for (uint32_t d = 0; d < kDepth; ++d) {
        const uint64_t at = (d * kWidth + codes[token * kDepth + d]) * kColumns + c;
        lacking += values[at] - stored(at, c);
      }
      total += lacking * lacking;
    }
    return total;
  }

  std::vector<uint16_t> codes;
  std::vector<double> weights;
  std::vector<double> values;
};

}  // namespace

TEST_CASE(
    "4-bit rows keep tokens' sums better than rows rounded one by one, the most frequent token's best") {
  const Fixture fixture;
  const NarrowRows rows = round_sketch_rows(fixture.values, kColumns, 4, fixture.tokens());
  REQUIRE(rows.units.size() == fixture.values.size());
  REQUIRE(rows.scale.size() == kColumns);
  CHECK(std::all_of(rows.units.begin(), rows.units.end(), [](int8_t unit) { return std::abs(unit) <= 7; }));
  const auto carried = [&](uint64_t at, uint64_t c) { return rows.units[at] * rows.scale[c]; };
  const auto nearest = [&](uint64_t at, uint64_t c) {
    const double unit = rows.scale[c];
    return std::clamp(std::nearbyint(fixture.values[at] / unit), -7.0, 7.0) * unit;
  };
  double all_carried = 0;
  double all_nearest = 0;
  for (size_t t = 0; t < kTokens; ++t) {
    if (t == kWithoutCodes) continue;
    all_carried += fixture.weights[t] * fixture.error(t, carried);
    all_nearest += fixture.weights[t] * fixture.error(t, nearest);
  }
  MESSAGE("of plain rounding's squared error: " << all_carried / all_nearest
                                                << ", of the most frequent token's "
                                                << fixture.error(0, carried) / fixture.error(0, nearest));
  CHECK(all_carried < 0.25 * all_nearest);
  CHECK(fixture.error(0, carried) < 0.1 * fixture.error(0, nearest));
}

TEST_CASE("4-bit rows: the same again, columns of zeros, and rows that no token has") {
  Fixture fixture;
  for (size_t i = 3; i < fixture.values.size(); i += kColumns) fixture.values[i] = 0;
  std::fill(fixture.codes.begin(), fixture.codes.end(), kinglet::formats::kNoCode);
  const NarrowRows rows = round_sketch_rows(fixture.values, kColumns, 4, fixture.tokens());
  CHECK(rows.units == round_sketch_rows(fixture.values, kColumns, 4, fixture.tokens()).units);
  CHECK(rows.scale[3] == 1);
  // Each is then rounded to the nearest; the unit cuts little off the largest.
  for (size_t i = 0; i < fixture.values.size(); ++i) {
    const double unit = rows.scale[i % kColumns];
    CHECK(std::fabs(fixture.values[i] - rows.units[i] * unit) <= 1.5 * unit);
  }
}

TEST_CASE("rows of signs: one unit a column, and tokens' sums kept better than by rows' own signs") {
  Fixture fixture;
  for (size_t i = 3; i < fixture.values.size(); i += kColumns) fixture.values[i] = 0;
  const NarrowRows rows = round_sketch_rows(fixture.values, kColumns, 1, fixture.tokens());
  CHECK(std::all_of(rows.units.begin(), rows.units.end(), [](int8_t unit) { return std::abs(unit) == 1; }));
  CHECK(rows.units == round_sketch_rows(fixture.values, kColumns, 1, fixture.tokens()).units);
  const auto carried = [&](uint64_t at, uint64_t c) { return rows.units[at] * rows.scale[c]; };
  const auto own = [&](uint64_t at, uint64_t c) { return std::copysign(rows.scale[c], fixture.values[at]); };
  double all_carried = 0;
  double all_own = 0;
  for (size_t t = 0; t < kTokens; ++t) {
    if (t == kWithoutCodes) continue;
    all_carried += fixture.weights[t] * fixture.error(t, carried);
    all_own += fixture.weights[t] * fixture.error(t, own);
  }
  MESSAGE("of the own signs' squared error: " << all_carried / all_own);
  CHECK(all_carried < 0.5 * all_own);
  // A unit of uniform values that loses least is their mean magnitude: half the largest.
  for (uint64_t c = 0; c < kColumns; ++c) {
    if (c != 3) CHECK(rows.scale[c] == doctest::Approx(0.01).epsilon(0.1));
  }
}
