// Rows and weights in 16-bit floats: the same tests for bf16 and for f16.
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <vector>

#include "kinglet/kernels/kernels.h"

#include "../../kernels/scalar/widen.h"
#include "support/guarded.h"
#include "support/random.h"
#include "support/support.h"
#include "tables.h"

using kinglet::kernels::Addend;
using kinglet::kernels::Bf16;
using kinglet::kernels::DenseLane;
using kinglet::kernels::Epilogue;
using kinglet::kernels::F16;
using kinglet::kernels::Isa;
using kinglet::kernels::KernelTable;
using kinglet::kernels::kSlimPanel;
using kinglet::kernels::kWidePanel;
using kinglet::kernels::RowTerm;
using kinglet::kernels::widen;
using kinglet::test::Guarded;
using kinglet::test::Random;
using kinglet::test::tables;

namespace {

using Floats = Guarded<float>;
using Side = Floats::Side;

template <typename Half>
struct Kernels;

template <>
struct Kernels<Bf16> {
  static constexpr int kFractionBits = 7;
  static constexpr int kBias = 127;
  static auto add_rows(const KernelTable& table) { return table.add_rows_bf16; }
  static auto gemv(const KernelTable& table) { return table.gemv_bf16; }
};

template <>
struct Kernels<F16> {
  static constexpr int kFractionBits = 10;
  static constexpr int kBias = 15;
  static auto add_rows(const KernelTable& table) { return table.add_rows_f16; }
  static auto gemv(const KernelTable& table) { return table.gemv_f16; }
};

const KernelTable& scalar() {
  return *kinglet::kernels::table_of(Isa::scalar);
}

/// What the bits mean by IEEE 754's definition of a format with this many bits of fraction.
template <typename Half>
double by_definition(uint16_t bits) {
  constexpr int kFraction = Kernels<Half>::kFractionBits;
  const int fraction = bits & ((1 << kFraction) - 1);
  const int exponent = (bits & 0x7FFF) >> kFraction;
  const double sign = bits >> 15 != 0 ? -1 : 1;
  if (exponent == (0x7FFF >> kFraction)) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  const int digits = exponent != 0 ? fraction + (1 << kFraction) : fraction;
  return sign * std::ldexp(digits, std::max(exponent, 1) - Kernels<Half>::kBias - kFraction);
}

bool same_float(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

void fill(Floats& values, Random& random, double magnitude = 1) {
  for (float& value : values) value = static_cast<float>(random.uniform(-magnitude, magnitude));
}

/// Finite values of every size, denormals among them, most of them up to 2 in magnitude.
template <typename Half>
void fill(Guarded<Half>& values, Random& random) {
  constexpr uint64_t kTwo = uint64_t{Kernels<Half>::kBias + 1} << Kernels<Half>::kFractionBits;
  for (Half& value : values) {
    const uint64_t sign = random.below(2) << 15;
    const uint64_t magnitude =
        random.below(8) == 0 ? random.below(1 << Kernels<Half>::kFractionBits) : random.below(kTwo + 1);
    value = {static_cast<uint16_t>(sign | magnitude)};
  }
}

bool same_bits(const Floats& a, const Floats& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

Side side_of(size_t number) {
  return number % 2 == 0 ? Side::begin : Side::end;
}

/// A copy of the same numbers as floats.
template <typename Half>
std::vector<float> widened(const Guarded<Half>& values) {
  std::vector<float> floats;
  for (size_t i = 0; i < values.size(); ++i) floats.push_back(widen(values[i]));
  return floats;
}

/// Values that a kernel did not pass on as they are; infinities and NaNs, which no table may hold, left
/// aside.
template <typename Half>
size_t wrong_values(const Guarded<Half>& row, float sign, const Floats& actual) {
  size_t wrong = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    const float expected = sign * widen(row[i]) + 0.0F;  // the sum starts at +0
    if (std::isfinite(expected) && !same_float(actual[i], expected)) ++wrong;
  }
  return wrong;
}

template <typename Half>
void check_all_values() {
  constexpr size_t kValues = 65'536;
  Guarded<Half> row(kValues);
  for (size_t i = 0; i < kValues; ++i) {
    row[i] = {static_cast<uint16_t>(i)};
    REQUIRE(same_float(widen(row[i]), static_cast<float>(by_definition<Half>(row[i].bits))));
  }
  for (const float sign : {1.0F, -1.0F}) {
    const RowTerm term{0, sign};
    for (const KernelTable* table : tables()) {
      // As a row: sum = fma(1, fma(sign, value, 0), 0).
      Floats sum(kValues);
      Kernels<Half>::add_rows (*table)(row.data(), kValues, kValues, &term, 1, 1.0F, sum.data());
      CHECK_MESSAGE(wrong_values(row, sign, sum) == 0, kinglet::kernels::isa_name(table->isa));
      // As the weights of a layer of one input.
      for (const size_t panel : {kSlimPanel, kWidePanel}) {
        Floats out(kValues);
        const Floats bias(kValues);
        Floats in(1);
        in[0] = sign;
        const DenseLane lane = {in.data(), 0, {}, out.data()};
        Kernels<Half>::gemv (*table)(row.data(), panel, 1, kValues, bias.data(), &lane, 1);
        CHECK_MESSAGE(wrong_values(row, sign, out) == 0, kinglet::kernels::isa_name(table->isa)
                                                             << ", panel " << panel);
      }
    }
  }
}

constexpr size_t kWidths[] = {16,  32,  48,   64,   80,   96,   112,  128,  144, 240,
                              256, 272, 1008, 1024, 1040, 3008, 4080, 4096, 4112};

template <typename Half>
void check_rows() {
  Random random(21);
  for (const size_t width : kWidths) {
    for (const size_t count : {0, 1, 2, 3, 7, 8, 9, 17, 33}) {
      const Side side = side_of(count);
      Guarded<Half> rows(5 * width,
                         side == Side::begin ? Guarded<Half>::Side::begin : Guarded<Half>::Side::end);
      Floats start(width, side);
      fill(rows, random);
      fill(start, random);
      Guarded<RowTerm> terms(count, Guarded<RowTerm>::Side::end);
      for (RowTerm& term : terms) term = {static_cast<uint32_t>(random.below(5)), random.wide_float(6)};
      // The specification: the kernel of floats over the same numbers.
      const std::vector<float> floats = widened(rows);
      Floats expected(width);
      std::memcpy(expected.data(), start.data(), width * sizeof(float));
      scalar().add_rows_f32(floats.data(), width, width, terms.data(), count, 0.37F, expected.data());
      for (const KernelTable* table : tables()) {
        Floats actual(width, side);
        std::memcpy(actual.data(), start.data(), width * sizeof(float));
        Kernels<Half>::add_rows (*table)(rows.data(), width, width, terms.data(), count, 0.37F,
                                         actual.data());
        CHECK_MESSAGE(same_bits(expected, actual), kinglet::kernels::isa_name(table->isa)
                                                       << ", width " << width << ", " << count << " terms");
      }
    }
  }
}

/// Addends, leaky and normalisation at once: which of them there are is the kernels of floats' own test.
struct FullEpilogue {
  FullEpilogue(size_t width, Random& random)
      : value(width), scale(width), shift(width), norm_scale(width), norm_shift(width) {
    for (Floats* values : {&value, &scale, &shift, &norm_scale, &norm_shift}) fill(*values, random, 2);
    addends[0] = {value.data(), nullptr, nullptr};
    addends[1] = {value.data(), scale.data(), shift.data()};
    epilogue = {addends.data(), addends.size(), true, 0.01F, norm_scale.data(), norm_shift.data()};
  }
  Floats value, scale, shift, norm_scale, norm_shift;
  std::array<Addend, 2> addends;
  Epilogue epilogue;
};

template <typename Half>
void check_dense(size_t panel, size_t panels, size_t inputs, Random& random) {
  const size_t outputs = panel * panels;
  const Side side = side_of(inputs);
  Guarded<Half> weights(outputs * inputs,
                        side == Side::begin ? Guarded<Half>::Side::begin : Guarded<Half>::Side::end);
  Floats bias(outputs, side);
  fill(weights, random);
  fill(bias, random);
  const FullEpilogue full(outputs, random);
  const Epilogue epilogue = random.below(2) == 0 ? Epilogue{} : full.epilogue;
  const std::vector<float> floats = widened(weights);
  const size_t lanes = 1 + random.below(9);
  std::deque<Floats> in;
  std::deque<Floats> expected;
  for (size_t lane = 0; lane < lanes; ++lane) {
    fill(in.emplace_back(inputs, side), random);
    expected.emplace_back(outputs);
    const DenseLane alone = {in[lane].data(), 0, epilogue, expected[lane].data()};
    scalar().gemv_f32(floats.data(), panel, inputs, outputs, bias.data(), &alone, 1);
  }
  for (const KernelTable* table : tables()) {
    std::deque<Floats> actual;
    std::vector<DenseLane> all;
    for (size_t lane = 0; lane < lanes; ++lane) {
      actual.emplace_back(outputs, side);
      all.push_back({in[lane].data(), 0, epilogue, actual[lane].data()});
    }
    Kernels<Half>::gemv (*table)(weights.data(), panel, inputs, outputs, bias.data(), all.data(), lanes);
    bool same = true;
    for (size_t lane = 0; lane < lanes; ++lane) same &= same_bits(expected[lane], actual[lane]);
    CHECK_MESSAGE(same, kinglet::kernels::isa_name(table->isa)
                            << ", panel " << panel << ", " << outputs << " x " << inputs << ", " << lanes
                            << " lanes");
  }
}

template <typename Half>
void check_dense_shapes() {
  Random random(22);
  for (const size_t panel : {kSlimPanel, kWidePanel}) {
    for (const size_t panels : {1, 2, 3, 4, 5, 47}) {
      for (const size_t inputs : {1, 2, 3, 31, 63, 64, 65, 127, 128, 129, 200})
        check_dense<Half>(panel, panels, inputs, random);
    }
  }
}

}  // namespace

TEST_CASE(
    "bf16 and f16: all 65,536 values become the floats that IEEE 754 defines, on every instruction set") {
  check_all_values<Bf16>();
  check_all_values<F16>();
}

TEST_CASE("add_rows of bf16 and f16: every instruction set gives the bits of the scalar kernel of floats") {
  check_rows<Bf16>();
  check_rows<F16>();
}

TEST_CASE("gemv of bf16 and f16: every instruction set gives the bits of the scalar kernel of floats") {
  check_dense_shapes<Bf16>();
  check_dense_shapes<F16>();
}
