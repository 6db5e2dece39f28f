#include <algorithm>
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
using kinglet::kernels::kMaximumSigns;
using kinglet::kernels::kSignGroup;
using kinglet::test::Guarded;
using kinglet::test::Random;
using kinglet::test::tables;

namespace {

using Floats = Guarded<float>;
using Bytes = Guarded<uint8_t>;
using Counts = Guarded<int16_t>;
using Terms = Guarded<CountTerm>;

const KernelTable& scalar() {
  return *kinglet::kernels::table_of(Isa::scalar);
}

template <typename T>
typename Guarded<T>::Side side_of(bool begin) {
  return begin ? Guarded<T>::Side::begin : Guarded<T>::Side::end;
}

template <typename T>
bool same_bits(const Guarded<T>& a, const Guarded<T>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <typename T>
void copy(const Guarded<T>& from, Guarded<T>& to) {
  std::memcpy(to.data(), from.data(), from.size() * sizeof(T));
}

/// Rows of signs; `other` bytes of another part of the table are between two of them.
struct SignRows {
  SignRows(size_t rows, size_t outputs, size_t other, bool begin, Random& random)
      : width(outputs), stride(width / 8 + other), bytes(rows * stride - other, side_of<uint8_t>(begin)) {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.below(256));
  }

  void count(const KernelTable& table, const Terms& terms, size_t ahead, int32_t weight,
             Counts& counts) const {
    table.count_signs(bytes.data(), stride, width, terms.data(), terms.size() - ahead, ahead, weight,
                      counts.data());
  }

  /// What the terms add to each output's count, by the words of kernels.h.
  std::vector<int64_t> expected(const Terms& terms, size_t ahead, int32_t weight) const {
    std::vector<int64_t> counts(width);
    for (size_t t = 0; t < terms.size() - ahead; ++t) {
      for (size_t group = 0; group < width / kSignGroup; ++group) {
        const uint8_t* byte = bytes.data() + terms[t].row * stride + group * 32;
        for (size_t j = 0; j < 32; ++j) {
          for (size_t b = 0; b < 8; ++b) {
            if ((byte[j] >> b & 1) != 0)
              counts[group * kSignGroup + 32 * b + j] += int64_t{weight} * terms[t].count;
          }
        }
      }
    }
    return counts;
  }

  size_t width;
  size_t stride;
  Bytes bytes;
};

int32_t total_of(const Terms& terms, size_t ahead, int32_t weight) {
  int32_t total = 0;
  for (size_t t = 0; t < terms.size() - ahead; ++t) total += weight * terms[t].count;
  return total;
}

/// Counts of rows that went in before, within what `total` more leaves.
void fill(Counts& counts, int32_t total, Random& random) {
  const auto left = static_cast<uint64_t>(kMaximumSigns - total);
  for (int16_t& count : counts) count = static_cast<int16_t>(random.below(left + 1));
}

void fill(Floats& values, Random& random) {
  for (float& value : values) value = static_cast<float>(random.uniform(-1, 1));
}

/// Of how often rows count.
enum class Kind { once, few, large };

/// Within what `weight` times all counts may be.
void fill(Terms& terms, size_t rows, Kind kind, int32_t weight, Random& random) {
  constexpr int32_t kLarge[] = {8, 9, 63, 64, 1000};
  int32_t left = kMaximumSigns / weight;
  for (CountTerm& term : terms) {
    term = {static_cast<uint32_t>(random.below(rows)), 1};
    if (kind == Kind::few) term.count = static_cast<int32_t>(random.below(4));
    if (kind == Kind::large && random.below(8) == 0) term.count = kLarge[random.below(5)];
    term.count = std::min(term.count, left);
    left -= term.count;
  }
}

}  // namespace

TEST_CASE("count_signs: every instruction set gives the scalar counts, for widths, strides and terms") {
  Random random(41);
  constexpr size_t kRows = 5;
  for (const size_t width : {256, 512, 768, 1024, 4352, 4608}) {
    for (const size_t count : {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 126, 127, 128, 200}) {
      for (const Kind kind : {Kind::once, Kind::few, Kind::large}) {
        const bool begin = random.below(2) == 0;
        const SignRows rows(kRows, width, 32 * random.below(50) * random.below(2), begin, random);
        const int32_t weights[] = {1, 3, 56};
        const int32_t weight = weights[random.below(3)];
        const size_t ahead = random.below(2) * random.below(2 * count + 3);
        Terms terms(count + ahead, Terms::Side::end);
        fill(terms, kRows, kind, weight, random);
        Counts start(width, side_of<int16_t>(begin));
        fill(start, total_of(terms, ahead, weight), random);
        Counts expected(width, side_of<int16_t>(begin));
        copy(start, expected);
        rows.count(scalar(), terms, ahead, weight, expected);
        for (const KernelTable* table : tables()) {
          Counts actual(width, side_of<int16_t>(begin));
          copy(start, actual);
          rows.count(*table, terms, ahead, weight, actual);
          CHECK_MESSAGE(same_bits(expected, actual), kinglet::kernels::isa_name(table->isa)
                                                         << ", width " << width << ", stride " << rows.stride
                                                         << ", " << count << " terms of kind "
                                                         << static_cast<int>(kind) << ", weight " << weight);
        }
      }
    }
  }
}

TEST_CASE("count_signs: bit b of byte j of a group counts for output 32 b + j alone") {
  Random random(42);
  constexpr size_t kWidth = 3 * kSignGroup;  // the last group is half a vector of the widest
  SignRows rows(2, kWidth, 32, false, random);
  Terms terms(1, Terms::Side::end);
  terms[0] = {1, 5};
  uint8_t* const row = rows.bytes.data() + rows.stride;
  for (const KernelTable* table : tables()) {
    bool exact = true;
    for (size_t o = 0; o < kWidth; ++o) {
      const size_t group = o / kSignGroup;
      const size_t b = o % kSignGroup / 32;
      const size_t j = o % 32;
      std::memset(row, 0, kWidth / 8);
      row[group * 32 + j] = static_cast<uint8_t>(1 << b);
      Counts counts(kWidth);
      rows.count(*table, terms, 0, 3, counts);
      for (size_t other = 0; other < kWidth; ++other) exact &= counts[other] == (other == o ? 15 : 0);
    }
    CHECK_MESSAGE(exact, kinglet::kernels::isa_name(table->isa));
  }
}

TEST_CASE(
    "count_signs is exact at every size of counts and the largest total, add_signs of what it counted") {
  Random random(43);
  constexpr size_t kWidth = 3 * kSignGroup;
  constexpr size_t kRows = 4;
  SignRows rows(kRows, kWidth, 96, false, random);
  std::memset(rows.bytes.data(), 0xFF, kWidth / 8);  // row 0: as much as there may be for every output
  struct Case {
    std::vector<CountTerm> terms;
    int32_t weight;
  };
  std::vector<Case> cases = {
      {{}, 1},
      {{{0, kMaximumSigns}}, 1},            // the largest total: of one term
      {{{0, 1}}, kMaximumSigns},            // of one weight
      {{{0, 4'681}}, 7},                    // of both
      {{{0, 32'766}, {1, 1}}, 1},           // of two terms
      {{{0, 0x4000}, {0, 0x3FFF}}, 1},      // of one row twice
      {{{0, 0}, {1, 0}}, kMaximumSigns},    // rows that do not count
      {{{0, 3}, {1, 0}, {2, 1'000}}, 0},    // rows that weigh nothing
      {{{1, 7}, {2, 8}, {3, 9}}, 1},        // up to what a row is taken apart into, and beyond
      {{{1, 63}, {2, 64}, {3, 65}}, 56},    // the same, eight times as much
      {{{1, 511}, {2, 512}, {3, 513}}, 3},  // and so on
      {{{1, 8}, {2, 64}, {3, 512}, {0, 4'096}}, 1},
  };
  // As many rows as a byte's sum takes, fewer and more; and as many with all counts the largest there may be.
  for (const size_t count : {15, 16, 31, 32, 126, 127, 128, 254, 255}) {
    for (const int32_t largest : {1, kMaximumSigns / static_cast<int32_t>(count)}) {
      std::vector<CountTerm> terms;
      for (size_t t = 0; t < count; ++t)
        terms.push_back({static_cast<uint32_t>(t % 3 == 0 ? 0 : random.below(kRows)), largest});
      cases.push_back({terms, 1});
    }
    cases.push_back({std::vector<CountTerm>(count, {0, 1}), kMaximumSigns / static_cast<int32_t>(count)});
  }
  Floats scale(kWidth);
  for (float& value : scale) value = 1;
  for (const Case& one : cases) {
    Terms terms(one.terms.size(), Terms::Side::end);
    std::copy(one.terms.begin(), one.terms.end(), terms.begin());
    const int32_t weight = one.weight;
    const int32_t total = total_of(terms, 0, weight);
    REQUIRE(total <= kMaximumSigns);
    const std::vector<int64_t> expected = rows.expected(terms, 0, weight);
    Counts start(kWidth);
    fill(start, total, random);
    for (const KernelTable* table : tables()) {
      Counts counts(kWidth);
      Counts more(kWidth);
      copy(start, more);
      rows.count(*table, terms, 0, weight, counts);
      rows.count(*table, terms, 0, weight, more);
      Floats sum(kWidth);
      table->add_signs(counts.data(), kWidth, total, 1, scale.data(), sum.data());
      bool exact = true;
      for (size_t o = 0; o < kWidth; ++o) {
        exact &= counts[o] == expected[o] && more[o] == start[o] + expected[o];
        // Rows whose bit is set are 1, those others -1.
        exact &= sum[o] == static_cast<float>(expected[o] - (total - expected[o]));
      }
      CHECK_MESSAGE(exact, kinglet::kernels::isa_name(table->isa)
                               << ", " << terms.size() << " terms, weight " << weight << ", total " << total);
    }
  }
}

TEST_CASE("count_signs: rows that go in over many calls count what they count in one") {
  Random random(44);
  constexpr size_t kWidth = 2 * kSignGroup;
  constexpr size_t kRows = 9;
  const SignRows rows(kRows, kWidth, 0, true, random);
  Terms terms(kRows, Terms::Side::end);
  fill(terms, kRows, Kind::large, 3, random);
  const std::vector<int64_t> expected = rows.expected(terms, 0, 3);
  for (const KernelTable* table : tables()) {
    Counts counts(kWidth);
    for (size_t t = 0; t < terms.size(); ++t)
      table->count_signs(rows.bytes.data(), rows.stride, kWidth, terms.data() + t, 1, terms.size() - t - 1, 3,
                         counts.data());
    CHECK_MESSAGE(std::equal(expected.begin(), expected.end(), counts.begin()),
                  kinglet::kernels::isa_name(table->isa));
  }
}

TEST_CASE("add_signs: every instruction set gives the scalar bits, for widths, totals and guard sides") {
  Random random(45);
  for (const size_t width : {16, 48, 256, 512, 768, 1024, 4352, 4608}) {
    for (const int32_t total : {0, 1, 2, 300, 0x7FFE, kMaximumSigns}) {
      for (const bool begin : {false, true}) {
        Counts counts(width, side_of<int16_t>(begin));
        for (int16_t& count : counts) {
          const uint64_t kind = random.below(4);
          const uint64_t any = random.below(static_cast<uint64_t>(total) + 1);
          count = static_cast<int16_t>(kind == 0 ? 0 : kind == 1 ? total : kind == 2 ? total / 2 : any);
        }
        Floats start(width, side_of<float>(begin));
        Floats scale(width, side_of<float>(begin));
        fill(start, random);
        fill(scale, random);
        for (size_t o = 0; o < width; o += 3) start[o] = -0.0F;  // half of a total adds a zero to it
        Floats expected(width, side_of<float>(begin));
        copy(start, expected);
        scalar().add_signs(counts.data(), width, total, 0.37F, scale.data(), expected.data());
        for (const KernelTable* table : tables()) {
          Floats actual(width, side_of<float>(begin));
          copy(start, actual);
          table->add_signs(counts.data(), width, total, 0.37F, scale.data(), actual.data());
          CHECK_MESSAGE(same_bits(expected, actual), kinglet::kernels::isa_name(table->isa)
                                                         << ", width " << width << ", total " << total);
        }
      }
    }
  }
}

TEST_CASE("add_signs is exact for every count, at the smallest and the largest totals") {
  constexpr size_t kWidth = kMaximumSigns + 1;
  Counts counts(kWidth);
  for (size_t o = 0; o < kWidth; ++o) counts[o] = static_cast<int16_t>(o);
  Floats scale(kWidth);
  for (float& value : scale) value = 1;
  for (const int32_t total : {0, 1, 2, 0x7FFE, kMaximumSigns}) {
    for (const KernelTable* table : tables()) {
      Floats sum(kWidth);
      for (size_t o = 0; o < kWidth; ++o) sum[o] = static_cast<float>(o % 7);
      table->add_signs(counts.data(), kWidth, total, 1, scale.data(), sum.data());
      bool exact = true;
      for (size_t o = 0; o < kWidth; ++o) {
        const auto output = static_cast<int32_t>(o);
        exact &= sum[o] == static_cast<float>(output % 7 + 2 * output - total);
      }
      CHECK_MESSAGE(exact, kinglet::kernels::isa_name(table->isa) << ", total " << total);
    }
  }
}
