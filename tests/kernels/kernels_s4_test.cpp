#include <cstring>
#include <vector>

#include "kinglet/kernels/kernels.h"

#include "support/guarded.h"
#include "support/random.h"
#include "support/support.h"
#include "tables.h"

using kinglet::kernels::CountTerm;
using kinglet::kernels::Isa;
using kinglet::kernels::KernelTable;
using kinglet::kernels::kNibbleGroup;
using kinglet::test::Guarded;
using kinglet::test::Random;
using kinglet::test::tables;

namespace {

using Floats = Guarded<float>;
using Bytes = Guarded<uint8_t>;
using Terms = Guarded<CountTerm>;

void fill(Floats& values, Random& random) {
  for (float& value : values) value = static_cast<float>(random.uniform(-1, 1));
}

/// Output `o` of a row, by the words of kernels.h.
int64_t element(const uint8_t* row, size_t o) {
  const size_t in_group = o % kNibbleGroup;
  const uint8_t* group = row + o / kNibbleGroup * 32;
  return in_group < 32 ? (group[in_group] & 15) - 8 : (group[in_group - 32] >> 4) - 8;
}

void run(const KernelTable& table, const Bytes& rows, const Terms& terms, size_t ahead, const Floats& start,
         const Floats& scale, Floats& sum) {
  const size_t width = start.size();
  std::memcpy(sum.data(), start.data(), width * sizeof(float));
  table.add_rows_s4(rows.data(), width, width, terms.data(), terms.size() - ahead, ahead, 0.37F, scale.data(),
                    sum.data());
}

}  // namespace

TEST_CASE("add_rows_s4: every instruction set gives the scalar bits, for widths, counts and guard sides") {
  Random random(31);
  constexpr size_t kRows = 5;
  for (const size_t width : {64, 128, 192, 256, 320, 448, 512, 1024, 1088, 3072, 4672}) {
    for (const size_t count : {0, 1, 2, 3, 8, 15, 16, 17, 31, 32, 33, 70}) {
      const bool begin = count % 2 == 0;
      Bytes rows(kRows * width / 2, begin ? Bytes::Side::begin : Bytes::Side::end);
      for (uint8_t& value : rows) value = static_cast<uint8_t>(random.below(256));
      const Floats::Side side = begin ? Floats::Side::begin : Floats::Side::end;
      Floats start(width, side);
      Floats scale(width, side);
      fill(start, random);
      fill(scale, random);
      // Most rows count once; counts that no sum of 16 bits takes, negative ones, and none at all.
      const uint64_t kind = random.below(4);
      Terms terms(count, Terms::Side::end);
      for (CountTerm& term : terms) {
        term = {static_cast<uint32_t>(random.below(kRows)), 1};
        if (kind == 1) term.count = static_cast<int32_t>(random.below(12));
        if (kind == 2) term.count = static_cast<int32_t>(random.below(40'000)) - 20'000;
      }
      const size_t ahead = random.below(count + 1);
      Floats expected(width, side);
      run(*kinglet::kernels::table_of(Isa::scalar), rows, terms, ahead, start, scale, expected);
      for (const KernelTable* table : tables()) {
        Floats actual(width, side);
        run(*table, rows, terms, ahead, start, scale, actual);
        CHECK_MESSAGE(std::memcmp(expected.data(), actual.data(), width * sizeof(float)) == 0,
                      kinglet::kernels::isa_name(table->isa)
                          << ", width " << width << ", " << count << " terms of kind " << kind);
      }
    }
  }
}

TEST_CASE("add_rows_s4 is exact at the largest counts of rows summed in bytes, in 16 and in 32 bits") {
  constexpr size_t kWidth = 192;
  Bytes rows(2 * kWidth / 2);
  for (size_t byte = 0; byte < rows.size(); ++byte) {
    rows[byte] = byte % 3 == 0 ? 0xFF : byte % 3 == 1 ? 0x00 : static_cast<uint8_t>(byte * 37);
  }
  Floats scale(kWidth);
  for (float& value : scale) value = 1;
  const std::vector<std::vector<CountTerm>> cases = {
      {{0, 16}, {1, 1}},            // a byte's fill and one more
      {{0, 511}, {1, 1}},           // the most rows of one call in 16 bits
      {{0, 512}, {1, 1}},           // one more
      {{0, 0}, {1, 3}, {0, -1}},    // not at all, and less
      {{0, 1 << 23}, {1, 1 << 23}}  // the largest 32-bit sum
  };
  for (const std::vector<CountTerm>& terms : cases) {
    for (const KernelTable* table : tables()) {
      Floats sum(kWidth);
      table->add_rows_s4(rows.data(), kWidth, kWidth, terms.data(), terms.size(), 0, 1, scale.data(),
                         sum.data());
      bool exact = true;
      for (size_t o = 0; o < kWidth; ++o) {
        int64_t expected = 0;
        for (const CountTerm& term : terms)
          expected += term.count * element(rows.data() + term.row * kWidth / 2, o);
        exact &= sum[o] == static_cast<float>(expected);
      }
      CHECK_MESSAGE(exact, kinglet::kernels::isa_name(table->isa) << ", " << terms[0].count << " counts");
    }
  }
}
