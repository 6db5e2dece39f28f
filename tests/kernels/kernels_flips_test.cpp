#include <cmath>
#include <cstring>

#include "kinglet/kernels/kernels.h"

#include "support/guarded.h"
#include "support/random.h"
#include "support/support.h"
#include "tables.h"

using kinglet::kernels::CountTerm;
using kinglet::kernels::KernelTable;
using kinglet::kernels::kLane;
using kinglet::kernels::RowTerm;
using kinglet::test::Guarded;
using kinglet::test::Random;
using kinglet::test::tables;

namespace {

using Floats = Guarded<float>;

/// Flips as layers have them: most are 0, some tiny, some exactly between two counts.
void fill(Floats& flips, Random& random, float unit) {
  for (float& flip : flips) {
    const uint64_t kind = random.below(8);
    const auto units = static_cast<float>(random.below(1'024));
    flip = kind < 4 ? 0.0F : kind == 4 ? units * unit : kind == 5 ? (units + 0.5F) * unit : 0x1p-90F;
  }
}

}  // namespace

TEST_CASE("find_flips: products above 0, else +0, and the largest, on every instruction set") {
  Random random(41);
  for (const size_t width : {16, 32, 48, 96, 1536}) {
    Floats scale(width);
    Floats in(width);
    for (float& value : scale) value = random.wide_float(20);
    for (float& value : in) value = random.wide_float(20);
    in[width - 1] = -0.0F;
    Floats expected(width);
    float largest = 0;
    for (size_t o = 0; o < width; ++o) {
      const float product = scale[o] * in[o];
      expected[o] = product > 0 ? product : 0.0F;
      largest = expected[o] > largest ? expected[o] : largest;
    }
    for (const KernelTable* table : tables()) {
      Floats out(width);
      CHECK(table->find_flips(scale.data(), in.data(), width, out.data()) == largest);
      CHECK_MESSAGE(std::memcmp(expected.data(), out.data(), width * sizeof(float)) == 0,
                    kinglet::kernels::isa_name(table->isa) << ", width " << width);
    }
  }
}

TEST_CASE("list_flips and count_flips: those that are not 0, in order, within width + kLane terms") {
  Random random(42);
  constexpr float kFactor = 1'023.0F / 7.0F;
  for (const size_t width : {16, 32, 48, 96, 1536}) {
    for (const bool all : {false, true}) {
      Floats flips(width);
      fill(flips, random, 1 / kFactor);
      if (all) {
        for (float& flip : flips) flip += 1;
      }
      for (const KernelTable* table : tables()) {
        Guarded<RowTerm> listed(width + kLane);
        Guarded<CountTerm> counted(width + kLane);
        const size_t listed_count = table->list_flips(flips.data(), width, listed.data());
        const size_t counted_count = table->count_flips(flips.data(), width, kFactor, counted.data());
        size_t l = 0;
        size_t c = 0;
        bool same = true;
        for (size_t o = 0; o < width; ++o) {
          if (flips[o] != 0) {
            same &= listed[l].row == o && listed[l].weight == flips[o];
            ++l;
          }
          // To the nearest, ties to even.
          const auto units = static_cast<int32_t>(std::nearbyint(flips[o] * kFactor));
          if (units != 0) {
            same &= counted[c].row == o && counted[c].count == units;
            ++c;
          }
        }
        CHECK_MESSAGE((same && l == listed_count && c == counted_count),
                      kinglet::kernels::isa_name(table->isa) << ", width " << width);
      }
    }
  }
}
