#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "kinglet/kernels/kernels.h"

#include "support/guarded.h"
#include "support/random.h"
#include "support/support.h"
#include "tables.h"

using kinglet::kernels::activation_limit;
using kinglet::kernels::CountTerm;
using kinglet::kernels::DenseLane;
using kinglet::kernels::Epilogue;
using kinglet::kernels::Isa;
using kinglet::kernels::KernelTable;
using kinglet::kernels::kNibbleGroup;
using kinglet::kernels::kQuad;
using kinglet::kernels::kWidePanel;
using kinglet::kernels::quantised_bytes;
using kinglet::kernels::RowTerm;
using kinglet::test::Guarded;
using kinglet::test::Random;
using kinglet::test::tables;

namespace {

using Floats = Guarded<float>;
using Bytes = Guarded<int8_t>;
using Side = Floats::Side;

const KernelTable& scalar() {
  return *kinglet::kernels::table_of(Isa::scalar);
}

void fill(Floats& values, Random& random, double magnitude = 1) {
  for (float& value : values) value = static_cast<float>(random.uniform(-magnitude, magnitude));
}

/// Any of -127..127, and the extremes more often than the rest.
void fill(Bytes& values, Random& random) {
  for (int8_t& value : values) {
    const uint64_t kind = random.below(4);
    const auto any = static_cast<int>(random.below(255)) - 127;
    value = static_cast<int8_t>(kind == 0 ? 127 : kind == 1 ? -127 : any);
  }
}

bool same_bits(const Floats& a, const Floats& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

Side side_of(size_t number) {
  return number % 2 == 0 ? Side::begin : Side::end;
}

/// One of so many inputs may need more than 8 bits.
constexpr size_t kWideShare = 16;

/// A dense layer of 8-bit weights: `weights` as the converter packs them.
struct DenseCase {
  DenseCase(size_t outputs, size_t inputs, Side side)
      : padded((inputs + kQuad - 1) / kQuad * kQuad),
        width((inputs + 15) / 16 * 16),
        weights(outputs * padded, side == Side::begin ? Bytes::Side::begin : Bytes::Side::end),
        sums(outputs),
        in(width, side),
        output_scale(outputs, side),
        bias(outputs, side) {}

  int8_t& weight(size_t o, size_t i) {
    return weights[(o / kWidePanel * padded + i / kQuad * kQuad) * kWidePanel + o % kWidePanel * kQuad +
                   i % kQuad];
  }

  /// Weights of missing inputs are 0, as are the inputs themselves.
  void settle(size_t inputs) {
    for (size_t o = 0; o < bias.size(); ++o) {
      sums[o] = 0;
      for (size_t i = 0; i < padded; ++i) {
        if (i >= inputs) weight(o, i) = 0;
        sums[o] += weight(o, i);
      }
    }
    for (size_t i = inputs; i < width; ++i) in[i] = 0;
  }

  float run(const KernelTable& table, float limit, size_t wide_share, const Epilogue& epilogue,
            Floats& out) const {
    Guarded<int8_t> quantised(quantised_bytes(width),
                              width % 32 == 0 ? Bytes::Side::begin : Bytes::Side::end);
    const float scale = table.quantize(in.data(), width, limit, wide_share, quantised.data());
    const DenseLane lane = {quantised.data(), scale, epilogue, out.data()};
    table.gemv_s8(weights.data(), padded, bias.size(), output_scale.data(), sums.data(), bias.data(), &lane,
                  1);
    return scale;
  }

  size_t padded;
  size_t width;
  Bytes weights;
  Guarded<int32_t> sums;
  Floats in;
  Floats output_scale;
  Floats bias;
};

}  // namespace

TEST_CASE("add_rows_s8: every instruction set gives the scalar bits, for widths, counts and guard sides") {
  Random random(21);
  for (const size_t width : {64, 128, 192, 256, 960, 1984, 2048, 2112, 3008, 4160}) {
    for (const size_t count : {0, 1, 2, 3, 4, 7, 8, 9, 15, 33}) {
      const size_t stride = width + (count % 4 < 2 ? 0 : 32);  // behind a row: 4-bit elements of the next
      Bytes rows(4 * stride + width, count % 2 == 0 ? Bytes::Side::begin : Bytes::Side::end);
      fill(rows, random);
      Floats start(width, side_of(count));
      Floats scale(width, side_of(count));
      fill(start, random);
      fill(scale, random);
      Guarded<CountTerm> terms(count, Guarded<CountTerm>::Side::end);
      // Sums of 16 bits, of 32 bits, and now and then counts beyond 16 bits.
      const uint64_t largest = width % 192 == 0 ? 4 : width % 128 == 0 ? 1'023 : 40'000;
      for (CountTerm& term : terms) {
        term = {static_cast<uint32_t>(random.below(5)), static_cast<int32_t>(1 + random.below(largest))};
        if (width % 320 == 0 && random.below(2) == 0) term.count = -term.count;
      }
      Floats expected(width, side_of(count));
      std::memcpy(expected.data(), start.data(), width * sizeof(float));
      scalar().add_rows_s8(rows.data(), stride, width, terms.data(), count, 0, 0.37F, scale.data(),
                           expected.data());
      for (const KernelTable* table : tables()) {
        Floats actual(width, side_of(count));
        std::memcpy(actual.data(), start.data(), width * sizeof(float));
        table->add_rows_s8(rows.data(), stride, width, terms.data(), count, 0, 0.37F, scale.data(),
                           actual.data());
        CHECK_MESSAGE(same_bits(expected, actual), kinglet::kernels::isa_name(table->isa)
                                                       << ", width " << width << ", " << count << " terms");
      }
    }
  }
}

TEST_CASE("add_rows_s8: hundreds of terms, positive and of either sign, give the scalar bits") {
  Random random(25);
  constexpr size_t kRows = 7;
  for (const size_t width : {64, 192, 1536, 4160}) {
    for (const size_t count : {255, 256, 259, 511, 512, 513, 1'100}) {
      Bytes rows(kRows * width);
      fill(rows, random);
      Floats scale(width);
      fill(scale, random);
      Guarded<CountTerm> terms(count, Guarded<CountTerm>::Side::end);
      // Counts of 16-bit sums, of 7, 10, 14 and 15 bits.
      const uint64_t limits[] = {2, 128, 1'024, 16'384, 32'768};
      const uint64_t limit = limits[random.below(5)];
      const bool negative = random.below(2) == 0;
      for (CountTerm& term : terms) {
        term = {static_cast<uint32_t>(random.below(kRows)), static_cast<int32_t>(random.below(limit))};
        if (negative && random.below(2) == 0) term.count = -term.count;
      }
      Floats expected(width);
      scalar().add_rows_s8(rows.data(), width, width, terms.data(), count, 0, 0.37F, scale.data(),
                           expected.data());
      for (const KernelTable* table : tables()) {
        Floats actual(width);
        table->add_rows_s8(rows.data(), width, width, terms.data(), count, 0, 0.37F, scale.data(),
                           actual.data());
        CHECK_MESSAGE(same_bits(expected, actual), kinglet::kernels::isa_name(table->isa)
                                                       << ", width " << width << ", " << count
                                                       << " terms below " << limit);
      }
    }
  }
}

TEST_CASE("add_rows_s8 is exact at the largest counts: of one row, of 16-bit sums and of 32-bit sums") {
  constexpr size_t kWidth = 192;
  Bytes rows(2 * kWidth);
  for (size_t o = 0; o < kWidth; ++o) {
    rows[o] = o % 3 == 0 ? 127 : o % 3 == 1 ? -127 : static_cast<int8_t>(o % 100);
    rows[kWidth + o] = o % 2 == 0 ? rows[o] : static_cast<int8_t>(-rows[o]);
  }
  Floats scale(kWidth);
  for (float& value : scale) value = 1;
  const std::vector<std::vector<CountTerm>> cases = {
      {{0, 127}, {1, 127}},          // the largest pair
      {{0, 127}, {1, 127}, {0, 4}},  // 258 counts: the largest 16-bit sum
      {{0, 127}, {0, 127}, {1, 5}},  // one more
      {{0, 128}},                    // beyond what a pair takes
      {{0, -1}, {1, 2}},
      {{0, -32'767}, {1, 32'767}, {1, -32'767}},
      {{0, -32'768}, {1, 1}},
      {{0, 32'767}, {1, 32'767}, {0, 32'767}},
      {{0, 32'768}, {1, 1}},
      {{0, 1 << 23}, {1, 1 << 23}}  // the largest 32-bit sum
  };
  for (const std::vector<CountTerm>& terms : cases) {
    for (const KernelTable* table : tables()) {
      Floats sum(kWidth);
      table->add_rows_s8(rows.data(), kWidth, kWidth, terms.data(), terms.size(), 0, 1, scale.data(),
                         sum.data());
      bool exact = true;
      for (size_t o = 0; o < kWidth; ++o) {
        int64_t expected = 0;
        for (const CountTerm& term : terms)
          expected += int64_t{term.count} * rows[size_t{term.row} * kWidth + o];
        exact &= sum[o] == static_cast<float>(expected);
      }
      CHECK_MESSAGE(exact, kinglet::kernels::isa_name(table->isa) << ", " << terms[0].count << " counts");
    }
  }
}

namespace {

/// What bundles hold, and which kernel takes them.
struct EightBits {
  using Byte = int8_t;
  static constexpr size_t kElements = 1;  // a byte
  static constexpr int kSmallest = -127;
  static constexpr int kLargest = 127;
  static constexpr auto kKernel = &KernelTable::add_bundles_s8;
};
struct FourBits {
  using Byte = uint8_t;
  static constexpr size_t kElements = 2;
  static constexpr int kSmallest = -8;
  static constexpr int kLargest = 7;
  static constexpr auto kKernel = &KernelTable::add_bundles_s4;
};

void fill(Guarded<uint8_t>& values, Random& random) {
  for (uint8_t& value : values) value = static_cast<uint8_t>(random.below(256));
}

/// Rows in bundles as the converter packs them; `other` bytes of another part of the table are between two.
template <typename Format>
struct BundleCase {
  using Byte = typename Format::Byte;
  using Values = Guarded<Byte>;

  BundleCase(size_t bundles, size_t bundle_rows, size_t columns, size_t other, Side side)
      : rows(bundle_rows),
        width(columns),
        stride(rows * width / Format::kElements + other),
        values(bundles * stride - other, side == Side::begin ? Values::Side::begin : Values::Side::end),
        scale(width, side) {}

  /// Sets an element by the words of kernels.h.
  void set(size_t bundle, size_t row, size_t o, int value) {
    const size_t panel_quad = o / kWidePanel * (rows / kQuad) + row / kQuad;
    const size_t element = (panel_quad * kWidePanel + o % kWidePanel) * kQuad + row % kQuad;
    Byte* const first = values.data() + bundle * stride;
    if constexpr (Format::kElements == 1) {
      first[element] = static_cast<int8_t>(value);
    } else {
      const size_t in_group = element % kNibbleGroup;
      uint8_t& pair = first[element / kNibbleGroup * 32 + in_group % 32];
      const int half = value + 8;
      pair = static_cast<uint8_t>(in_group < 32 ? (pair & 0xF0) | half : (pair & 0x0F) | half << 4);
    }
  }

  void add(const KernelTable& table, const Guarded<uint32_t>& active, const Guarded<int16_t>& counts,
           float factor, Floats& sum) const {
    (table.*Format::kKernel)(values.data(), stride, rows, width, active.data(), counts.data(), active.size(),
                             factor, scale.data(), sum.data());
  }

  size_t rows;
  size_t width;
  size_t stride;
  Values values;
  Floats scale;
};

template <typename Format>
void check_bundles(uint64_t seed) {
  Random random(seed);
  constexpr size_t kBundles = 3;
  for (const size_t width : {64, 128, 192, 1536, 4608}) {
    for (const size_t rows : {4, 8, 12, 16, 64}) {
      for (const size_t count : {0, 1, 2, 3, 7, 64}) {
        const size_t other = count % 3 == 0 ? 0 : count % 3 == 1 ? 64 : 1536;
        BundleCase<Format> bundles(kBundles, rows, width, other, side_of(count));
        fill(bundles.values, random);
        fill(bundles.scale, random);
        Floats start(width, side_of(count));
        fill(start, random);
        Guarded<uint32_t> active(count, Guarded<uint32_t>::Side::end);
        for (uint32_t& bundle : active) bundle = static_cast<uint32_t>(random.below(kBundles));
        Guarded<int16_t> counts(count * rows, Guarded<int16_t>::Side::end);
        const uint64_t largest = width % 128 == 0 ? 4'096 : 100;
        for (int16_t& value : counts)
          value = static_cast<int16_t>(static_cast<int>(random.below(2 * largest + 1)) -
                                       static_cast<int>(largest));
        Floats expected(width, side_of(count));
        std::memcpy(expected.data(), start.data(), width * sizeof(float));
        bundles.add(scalar(), active, counts, 0.37F, expected);
        for (const KernelTable* table : tables()) {
          Floats actual(width, side_of(count));
          std::memcpy(actual.data(), start.data(), width * sizeof(float));
          bundles.add(*table, active, counts, 0.37F, actual);
          CHECK_MESSAGE(same_bits(expected, actual), kinglet::kernels::isa_name(table->isa)
                                                         << ", width " << width << ", " << count
                                                         << " bundles of " << rows << ", " << other
                                                         << " bytes between them");
        }
      }
    }
  }
}

template <typename Format>
void check_largest_bundles(uint64_t seed) {
  Random random(seed);
  constexpr size_t kBundles = 2;
  constexpr size_t kRows = 16;
  constexpr size_t kWidth = 128;
  constexpr size_t kCount = kinglet::kernels::kMaximumBundleRows / kRows;
  BundleCase<Format> bundles(kBundles, kRows, kWidth, 64, Side::end);
  std::vector<int64_t> elements(kBundles * kRows * kWidth);
  const auto element = [&](size_t bundle, size_t row, size_t o) -> int64_t& {
    return elements[(bundle * kRows + row) * kWidth + o];
  };
  fill(bundles.values, random);  // what is between them
  for (size_t o = 0; o < kWidth; ++o) {
    bundles.scale[o] = 1;
    for (size_t bundle = 0; bundle < kBundles; ++bundle) {
      for (size_t row = 0; row < kRows; ++row) {
        const int any =
            static_cast<int>(random.below(Format::kLargest - Format::kSmallest + 1)) + Format::kSmallest;
        const int value = o % 64 == 0 ? Format::kLargest : o % 64 == 1 ? Format::kSmallest : any;
        element(bundle, row, o) = value;
        bundles.set(bundle, row, o, value);
      }
    }
  }
  // As many rows as there may be, whose counts add up to the limit; and the largest counts.
  for (const int largest : {4'096, kinglet::kernels::kMaximumBundleCount}) {
    const size_t count = kinglet::kernels::kMaximumCounts / (static_cast<size_t>(largest) * kRows);
    REQUIRE(count <= kCount);
    for (const int kind : {0, 1, 2}) {  // of the counts: above 0, below, of either sign
      Guarded<uint32_t> active(count, Guarded<uint32_t>::Side::end);
      for (size_t a = 0; a < count; ++a) active[a] = static_cast<uint32_t>(a % kBundles);
      Guarded<int16_t> counts(count * kRows, Guarded<int16_t>::Side::end);
      for (int16_t& value : counts) {
        const bool negative = kind == 1 || (kind == 2 && random.below(2) == 0);
        value = static_cast<int16_t>(negative ? -largest : largest);
      }
      std::vector<int64_t> expected(kWidth);
      for (size_t a = 0; a < count; ++a) {
        for (size_t row = 0; row < kRows; ++row) {
          for (size_t o = 0; o < kWidth; ++o)
            expected[o] += counts[a * kRows + row] * element(active[a], row, o);
        }
      }
      for (const KernelTable* table : tables()) {
        Floats sum(kWidth);
        bundles.add(*table, active, counts, 1, sum);
        bool exact = true;
        for (size_t o = 0; o < kWidth; ++o) exact &= sum[o] == static_cast<float>(expected[o]);
        CHECK_MESSAGE(exact, kinglet::kernels::isa_name(table->isa) << ", counts of " << largest);
      }
    }
  }
}

template <typename Format>
void check_bundle_counts() {
  constexpr size_t kWidth = 64;
  BundleCase<Format> bundles(1, kQuad, kWidth, 0, Side::end);
  for (size_t o = 0; o < kWidth; ++o) {
    bundles.scale[o] = 1;
    for (size_t row = 0; row < kQuad; ++row) bundles.set(0, row, o, o % kQuad == row ? 1 : 0);
  }
  Guarded<uint32_t> active(1, Guarded<uint32_t>::Side::end);
  active[0] = 0;
  Guarded<int16_t> counts(kQuad, Guarded<int16_t>::Side::end);
  Floats sum(kWidth);
  constexpr int32_t kLargest = kinglet::kernels::kMaximumBundleCount;
  for (const KernelTable* table : tables()) {
    bool exact = true;
    for (int32_t value = -kLargest; value <= kLargest; ++value) {
      for (size_t row = 0; row < kQuad; ++row) counts[row] = static_cast<int16_t>(row == 2 ? value : -value);
      for (float& s : sum) s = 0;
      bundles.add(*table, active, counts, 1, sum);
      exact &= sum[2] == static_cast<float>(value) && sum[61] == static_cast<float>(-value);
    }
    CHECK_MESSAGE(exact, kinglet::kernels::isa_name(table->isa));
  }
}

}  // namespace

TEST_CASE("add_bundles_s8: every instruction set gives the scalar bits, for widths, rows and bundles") {
  check_bundles<EightBits>(27);
}

TEST_CASE("add_bundles_s4: every instruction set gives the scalar bits, for widths, rows and bundles") {
  check_bundles<FourBits>(29);
}

TEST_CASE("add_bundles_s8 is exact at the largest magnitudes and the most rows") {
  check_largest_bundles<EightBits>(28);
}

TEST_CASE("add_bundles_s4 is exact at the largest magnitudes and the most rows") {
  check_largest_bundles<FourBits>(30);
}

TEST_CASE("add_bundles_s8: every count a bundle may have is taken as it is") {
  check_bundle_counts<EightBits>();
}

TEST_CASE("add_bundles_s4: every count a bundle may have is taken as it is") {
  check_bundle_counts<FourBits>();
}

TEST_CASE("add_rows_s16: every instruction set gives the scalar bits, and whole weights an exact sum") {
  Random random(22);
  for (const size_t width : {16, 32, 48, 272, 1008, 1024, 1040, 3008}) {
    for (const size_t count : {0, 1, 3, 4, 5, 33}) {
      Guarded<int16_t> rows(5 * width,
                            count % 2 == 0 ? Guarded<int16_t>::Side::begin : Guarded<int16_t>::Side::end);
      for (int16_t& value : rows) value = static_cast<int16_t>(random.below(65'535) - 32'767);
      Floats start(width, side_of(count));
      Floats scale(width, side_of(count));
      fill(start, random);
      fill(scale, random);
      Guarded<RowTerm> terms(count, Guarded<RowTerm>::Side::end);
      for (RowTerm& term : terms) term = {static_cast<uint32_t>(random.below(5)), random.wide_float(6)};
      Floats expected(width, side_of(count));
      std::memcpy(expected.data(), start.data(), width * sizeof(float));
      scalar().add_rows_s16(rows.data(), width, width, terms.data(), count, 0.37F, scale.data(),
                            expected.data());
      for (const KernelTable* table : tables()) {
        Floats actual(width, side_of(count));
        std::memcpy(actual.data(), start.data(), width * sizeof(float));
        table->add_rows_s16(rows.data(), width, width, terms.data(), count, 0.37F, scale.data(),
                            actual.data());
        CHECK_MESSAGE(same_bits(expected, actual), kinglet::kernels::isa_name(table->isa)
                                                       << ", width " << width << ", " << count << " terms");
      }
      // Weights 1: sums of 16-bit integers below 2^24 are exact in floats.
      for (RowTerm& term : terms) term.weight = 1;
      std::memset(expected.data(), 0, width * sizeof(float));
      for (float& value : scale) value = 1;
      scalar().add_rows_s16(rows.data(), width, width, terms.data(), count, 1, scale.data(), expected.data());
      int32_t last = 0;
      for (const RowTerm& term : terms) last += rows[term.row * width + width - 1];
      CHECK(expected[width - 1] == static_cast<float>(last));
    }
  }
}

TEST_CASE("add_rows_s16: rows that all count once give the scalar bits, whatever their number") {
  Random random(26);
  for (const size_t width : {16, 48, 64, 80, 128, 1040, 3072}) {
    for (const size_t count : {1, 2, 3, 40, 255, 256, 257}) {
      Guarded<int16_t> rows(5 * width);
      for (int16_t& value : rows) {
        const uint64_t kind = random.below(3);
        value = static_cast<int16_t>(kind == 0   ? 32'767
                                     : kind == 1 ? -32'767
                                                 : random.below(65'535) - 32'767);
      }
      Floats start(width);
      Floats scale(width);
      fill(start, random);
      fill(scale, random);
      Guarded<RowTerm> terms(count, Guarded<RowTerm>::Side::end);
      // The largest sums of one sign too.
      const uint64_t distinct = random.below(2) == 0 ? 1 : 5;
      for (RowTerm& term : terms) term = {static_cast<uint32_t>(random.below(distinct)), 1.0F};
      Floats expected(width);
      std::memcpy(expected.data(), start.data(), width * sizeof(float));
      scalar().add_rows_s16(rows.data(), width, width, terms.data(), count, 0.37F, scale.data(),
                            expected.data());
      for (const KernelTable* table : tables()) {
        Floats actual(width);
        std::memcpy(actual.data(), start.data(), width * sizeof(float));
        table->add_rows_s16(rows.data(), width, width, terms.data(), count, 0.37F, scale.data(),
                            actual.data());
        CHECK_MESSAGE(same_bits(expected, actual), kinglet::kernels::isa_name(table->isa)
                                                       << ", width " << width << ", " << count << " rows");
      }
    }
  }
}

TEST_CASE("quantize and gemv_s8: every instruction set gives the scalar bits, for shapes and epilogues") {
  Random random(23);
  for (const size_t panels : {1, 2, 3, 4, 5, 47}) {
    for (const size_t inputs : {1, 3, 4, 5, 15, 16, 17, 31, 64, 65, 200, 1500}) {
      const size_t outputs = panels * kWidePanel;
      DenseCase dense(outputs, inputs, side_of(inputs));
      fill(dense.weights, random);
      fill(dense.output_scale, random);
      fill(dense.bias, random);
      for (float& value : dense.in) value = random.wide_float(6);
      dense.settle(inputs);
      Floats norm_scale(outputs);
      Floats norm_shift(outputs);
      fill(norm_scale, random, 2);
      fill(norm_shift, random, 2);
      Epilogue epilogue;
      epilogue.leaky = inputs % 2 == 0;
      epilogue.slope = 0.01F;
      if (panels % 2 == 0) {
        epilogue.scale = norm_scale.data();
        epilogue.shift = norm_shift.data();
      }
      for (const size_t wide_share : {size_t{0}, kWideShare}) {
        Floats expected(outputs, side_of(inputs));
        const float limit = activation_limit(dense.padded);
        const float scale = dense.run(scalar(), limit, wide_share, epilogue, expected);
        for (const KernelTable* table : tables()) {
          Floats actual(outputs, side_of(inputs));
          CHECK(std::bit_cast<uint32_t>(dense.run(*table, limit, wide_share, epilogue, actual)) ==
                std::bit_cast<uint32_t>(scale));
          CHECK_MESSAGE(same_bits(expected, actual), kinglet::kernels::isa_name(table->isa)
                                                         << ", " << outputs << " x " << inputs);
        }
      }
    }
  }
}

TEST_CASE("gemv_s8: a lane's bits do not depend on how many there are") {
  Random random(27);
  constexpr size_t kMost = 9;
  for (const size_t panels : {1, 2, 3, 4, 7}) {
    for (const size_t inputs : {4, 100, 516, 1500}) {
      const size_t wide_share = (panels + inputs) % 2 == 0 ? kWideShare : 0;
      const size_t outputs = panels * kWidePanel;
      DenseCase dense(outputs, inputs, side_of(panels));
      fill(dense.weights, random);
      fill(dense.output_scale, random);
      fill(dense.bias, random);
      Floats addend(outputs);
      fill(addend, random);
      const kinglet::kernels::Addend addends[] = {{addend.data(), nullptr, nullptr}};
      for (const KernelTable* table : tables()) {
        std::deque<Guarded<int8_t>> quantised;
        std::deque<Floats> out;
        std::deque<Floats> alone;
        std::vector<DenseLane> lanes;
        for (size_t lane = 0; lane < kMost; ++lane) {
          // Of some lanes no quad is wide, of others every one of the first.
          for (float& value : dense.in) value = lane % 3 == 0 ? random.wide_float(1) : random.wide_float(12);
          dense.settle(inputs);
          quantised.emplace_back(quantised_bytes(dense.width));
          out.emplace_back(outputs);
          alone.emplace_back(outputs);
          const Epilogue epilogue = {addends, lane % 2, lane % 2 == 0, 0.01F, nullptr, nullptr};
          const float limit = activation_limit(dense.padded);
          const float scale =
              table->quantize(dense.in.data(), dense.width, limit, wide_share, quantised[lane].data());
          lanes.push_back({quantised[lane].data(), scale, epilogue, nullptr});
          dense.run(scalar(), limit, wide_share, epilogue, alone[lane]);
        }
        for (size_t lane = 0; lane < kMost; ++lane) lanes[lane].out = out[lane].data();
        for (size_t count = 1; count <= kMost; ++count) {
          for (Floats& values : out) std::memset(values.data(), 0, outputs * sizeof(float));
          table->gemv_s8(dense.weights.data(), dense.padded, outputs, dense.output_scale.data(),
                         dense.sums.data(), dense.bias.data(), lanes.data(), count);
          bool same = true;
          for (size_t lane = 0; lane < count; ++lane) same &= same_bits(alone[lane], out[lane]);
          CHECK_MESSAGE(same, kinglet::kernels::isa_name(table->isa)
                                  << ", " << count << " lanes, " << outputs << " x " << inputs);
        }
      }
    }
  }
}

TEST_CASE("gemv_s8 is exact at the largest magnitudes, up to the widest layer") {
  Random random(24);
  for (const size_t inputs : {size_t{1504}, size_t{2064}, size_t{2068}, size_t{65'536}}) {
    const float most = activation_limit(inputs);
    CHECK(most >= 254);
    // With a share, inputs that are all alike fit 8 bits; few that are large leave it to them to be as large
    // as can be.
    for (const auto& [all, wide_share] :
         std::vector<std::pair<bool, size_t>>{{true, 0}, {true, kWideShare}, {false, kWideShare}}) {
      DenseCase dense(kWidePanel, inputs, Side::end);
      const auto sign = [](size_t i) { return i % 7 == 3 ? -1.0F : 1.0F; };
      for (size_t i = 0; i < inputs; ++i)
        dense.in[i] = all || i * kWideShare < inputs ? sign(i) : sign(i) / 64;
      for (size_t o = 0; o < kWidePanel; ++o) {
        for (size_t i = 0; i < inputs; ++i) {
          const bool positive = o == 0 ? sign(i) > 0 : o == 1 ? sign(i) < 0 : random.below(2) == 0;
          dense.weight(o, i) = positive ? 127 : -127;
        }
        dense.output_scale[o] = 1;
        dense.bias[o] = 0;
      }
      dense.settle(inputs);
      const float units = wide_share == 0 ? most : all ? 127 : std::min(most, 127.0F * 64);
      for (const KernelTable* table : tables()) {
        Floats out(kWidePanel);
        const float scale = dense.run(*table, most, wide_share, {}, out);
        CHECK(scale == 1 / units);
        bool exact = true;
        for (size_t o = 0; o < kWidePanel; ++o) {
          int64_t sum = 0;
          for (size_t i = 0; i < inputs; ++i)
            sum += dense.weight(o, i) * static_cast<int64_t>(std::nearbyint(dense.in[i] * units));
          exact &= out[o] == scale * static_cast<float>(sum);
        }
        CHECK_MESSAGE(exact, kinglet::kernels::isa_name(table->isa) << ", " << inputs << " inputs");
      }
    }
  }
}

TEST_CASE("quantize takes zeros and what is too small as zeros, and ties to even") {
  constexpr size_t kWidth = 64;
  DenseCase dense(2 * kWidePanel, kWidth, Side::end);
  for (size_t o = 0; o < 2 * kWidePanel; ++o) {
    for (size_t i = 0; i < kWidth; ++i) dense.weight(o, i) = i == o ? 1 : 0;
    dense.output_scale[o] = 1;
    dense.bias[o] = 0;
  }
  dense.settle(kWidth);
  for (const KernelTable* table : tables()) {
    Floats out(2 * kWidePanel);
    for (float& value : dense.in) value = 0x1p-101F;
    CHECK(dense.run(*table, 8191, kWideShare, {}, out) == 0);
    CHECK(out[0] == 0);
    dense.in[3] = -3;  // the largest; the others vanish beside it
    const float unit = 3.0F / (127 * 64);
    dense.in[5] = unit * 2.5F;
    dense.in[6] = unit * -128;
    dense.in[7] = unit * -129;
    CHECK(dense.run(*table, 8191, kWideShare, {}, out) == unit);
    CHECK(out[3] == unit * -127 * 64);
    CHECK(out[5] == unit * 2);
    CHECK(out[6] == unit * -128);
    CHECK(out[7] == unit * -129);
    CHECK(out[0] == 0);
    CHECK(dense.run(*table, 500, kWideShare, {}, out) == 3.0F / 500);
    dense.in[5] = 3.0F / 8191 * 2.5F;
    CHECK(dense.run(*table, 8191, 0, {}, out) == 3.0F / 8191);
    CHECK(out[3] == 3.0F / 8191 * -8191);
    CHECK(out[5] == 3.0F / 8191 * 2);
  }
}

TEST_CASE("quantize: the finest unit that leaves most inputs within 127 units") {
  constexpr size_t kWidth = 160;
  constexpr size_t kWide = kWidth / kWideShare;
  // How many parts of the largest, 1, the inputs from the `kWide`-th largest on have, and what comes of it.
  const std::vector<std::pair<float, float>> cases = {
      {1, 1},    {1.2F, 1}, {1.25F, 1.25F}, {1.3F, 1.25F}, {1.5F, 1.5F}, {1.9F, 1.75F}, {2, 2},    {2.4F, 2},
      {7.1F, 7}, {8, 8},    {9.9F, 8},      {56, 56},      {63, 56},     {64, 64},      {1e3F, 64}};
  for (const auto& pair : cases) {
    const float parts = pair.first;
    const float expected = pair.second;
    Floats in(kWidth);
    for (size_t i = 0; i < kWidth; ++i) in[i] = (i % 2 == 0 ? 1 : -1) / parts;
    for (size_t i = 0; i < kWide; ++i) in[i * 7 + 1] = i % 2 == 0 ? 1.0F : -1.0F;
    for (const KernelTable* table : tables()) {
      Guarded<int8_t> quantised(quantised_bytes(kWidth));
      const auto unit = [&] {
        return table->quantize(in.data(), kWidth, 8191, kWideShare, quantised.data());
      };
      CHECK_MESSAGE(unit() == 1 / (127 * expected), kinglet::kernels::isa_name(table->isa) << ", " << parts);
      const float kept = in[2];  // one more that is as large as the largest
      in[2] = 1;
      CHECK(unit() == 1.0F / 127);
      in[2] = kept;
    }
  }
}
