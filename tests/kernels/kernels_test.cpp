#include "kinglet/kernels/kernels.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <deque>
#include <optional>
#include <vector>

#include "../../kernels/scalar/fused.h"
#include "support/guarded.h"
#include "support/random.h"
#include "support/support.h"

using kinglet::kernels::Addend;
using kinglet::kernels::DenseLane;
using kinglet::kernels::Epilogue;
using kinglet::kernels::Isa;
using kinglet::kernels::KernelTable;
using kinglet::kernels::kLane;
using kinglet::kernels::kSlimPanel;
using kinglet::kernels::kWidePanel;
using kinglet::kernels::RowTerm;
using kinglet::test::Guarded;
using kinglet::test::Random;

namespace {

using Floats = Guarded<float>;

void fill(Floats& values, Random& random, double magnitude = 1) {
  for (float& value : values) value = static_cast<float>(random.uniform(-magnitude, magnitude));
}

bool same_bits(const Floats& a, const Floats& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Every instruction set of this CPU but the specification itself.
std::vector<const KernelTable*> other_tables() {
  std::vector<const KernelTable*> tables;
  for (const Isa isa : kinglet::kernels::built_isas()) {
    if (isa != Isa::scalar && kinglet::kernels::supported(isa))
      tables.push_back(kinglet::kernels::table_of(isa));
  }
  return tables;
}

const KernelTable& scalar() {
  return *kinglet::kernels::table_of(Isa::scalar);
}

/// An epilogue over vectors of its own: `kind` chooses among all combinations of addends, leaky and
/// normalisation.
struct EpilogueCase {
  EpilogueCase(size_t width, unsigned kind, Random& random)
      : value1(width), value2(width), scale(width), shift(width), norm_scale(width), norm_shift(width) {
    for (Floats* values : {&value1, &value2, &scale, &shift, &norm_scale, &norm_shift})
      fill(*values, random, 2);
    if ((kind & 1) != 0) addends.push_back({value1.data(), nullptr, nullptr});
    if ((kind & 2) != 0) addends.push_back({value2.data(), scale.data(), shift.data()});
    epilogue.addends = addends.data();
    epilogue.addend_count = addends.size();
    epilogue.leaky = (kind & 4) != 0;
    epilogue.slope = 0.01F;
    if ((kind & 8) != 0) {
      epilogue.scale = norm_scale.data();
      epilogue.shift = norm_shift.data();
    }
  }
  static constexpr unsigned kKinds = 16;
  Floats value1, value2, scale, shift, norm_scale, norm_shift;
  std::vector<Addend> addends;
  Epilogue epilogue;
};

long double finish_exactly(long double z, const Epilogue& epilogue, size_t o) {
  for (size_t a = 0; a < epilogue.addend_count; ++a) {
    const Addend& addend = epilogue.addends[a];
    const long double value = addend.value[o];
    z += addend.scale != nullptr ? addend.scale[o] * value + addend.shift[o] : value;
  }
  if (epilogue.leaky) z = z > 0 ? z : static_cast<long double>(epilogue.slope) * z;
  return epilogue.scale != nullptr ? epilogue.scale[o] * z + epilogue.shift[o] : z;
}

constexpr size_t kWidths[] = {16,  32,  48,  64,   80,   96,   112,  128,  144,
                              240, 256, 272, 1008, 1024, 1040, 1504, 2048, 3008};

/// fma(a, b, c) of each lane as a table's kernels compute it: an epilogue of nothing but normalisation.
void fused(const KernelTable& table, const Floats& a, const Floats& b, const Floats& c, Floats& out) {
  Epilogue epilogue;
  epilogue.scale = a.data();
  epilogue.shift = c.data();
  table.activate_f32(b.data(), b.size(), epilogue, out.data());
}

/// Every instruction set's fused multiply-add against libm's, over the lanes of a, b and c.
void check_fused(const Floats& a, const Floats& b, const Floats& c) {
  Floats actual(a.size());
  for (const Isa isa : kinglet::kernels::built_isas()) {
    if (!kinglet::kernels::supported(isa)) continue;
    fused(*kinglet::kernels::table_of(isa), a, b, c, actual);
    for (size_t i = 0; i < a.size(); ++i) {
      const float expected = std::fmaf(a[i], b[i], c[i]);
      if (std::isfinite(expected) &&
          std::bit_cast<uint32_t>(expected) != std::bit_cast<uint32_t>(actual[i])) {
        FAIL(kinglet::kernels::isa_name(isa) << ": fma(" << a[i] << ", " << b[i] << ", " << c[i]
                                             << ") = " << actual[i] << ", expected " << expected);
      }
    }
  }
}

}  // namespace

TEST_CASE("fused multiply-add rounds once, like fmaf, on every instruction set") {
  Random random(1);
  constexpr size_t kLanes = 4'096;
  Floats a(kLanes);
  Floats b(kLanes);
  Floats c(kLanes);
  for (int round = 0; round < 500; ++round) {
    for (size_t i = 0; i < kLanes; ++i) {
      a[i] = random.wide_float(40);
      b[i] = random.wide_float(40);
      c[i] = random.wide_float(80);
      // Half of the time near cancellation or a tie, where double rounding would show.
      if (i % 2 == 0)
        c[i] = -static_cast<float>(static_cast<double>(a[i]) * b[i]) *
               (1.0F + static_cast<float>(random.below(3)) * 0x1p-23F);
    }
    check_fused(a, b, c);
  }
}

TEST_CASE("fused multiply-add rounds once where the sum in double is inexact and next to a tie of floats") {
  // c is 2^-30 to 2^-70 of the product, and the product's last bits lie on a tie between two floats: rounding
  // first to double and then to float would go wrong.
  Random random(8);
  constexpr size_t kLanes = 4'096;
  Floats a(kLanes);
  Floats b(kLanes);
  Floats c(kLanes);
  for (int round = 0; round < 200; ++round) {
    for (size_t i = 0; i < kLanes; ++i) {
      // (1 + m 2^-12) (1 + 2^-12) = 1 + (m + 1) 2^-12 + m 2^-24: a tie wherever m is odd.
      const auto sign = random.below(2) == 0 ? 1.0F : -1.0F;
      a[i] = sign * (1.0F + static_cast<float>(2 * random.below(1'024) + 1) * 0x1p-12F);
      b[i] = 1.0F + 0x1p-12F;
      const auto exponent = -30 - static_cast<int>(random.below(40));
      c[i] = std::ldexp(random.wide_float(1), exponent);
    }
    check_fused(a, b, c);
    for (size_t i = 0; i < kLanes; ++i) {  // the same where results are denormal
      a[i] *= 0x1p-100F;
      b[i] *= 0x1p-27F;
      c[i] = std::ldexp(c[i], -60);
    }
    check_fused(a, b, c);
  }
}

TEST_CASE("fused multiply-add is exact among denormals and at ties, on every instruction set") {
  const float smallest = std::bit_cast<float>(1U);
  const float values[] = {0.0F, -0.0F,           smallest,      -smallest,       0x1p-126F, 0x1.fffffep-127F,
                          1.0F, 1.0F + 0x1p-23F, 0x1p-24F,      1.0F - 0x1p-24F, 0x1p-75F,  -0x1p-75F,
                          3.0F, 0x1.8p-1F,       0x1.000002p0F, 0x1.fffffep0F,   1e30F,     -1.0F};
  std::vector<float> signed_values;
  for (const float value : values) {
    signed_values.push_back(value);
    signed_values.push_back(-value);
  }
  constexpr size_t kLanes = 48;  // one for each value, in whole lanes
  REQUIRE(signed_values.size() <= kLanes);
  signed_values.resize(kLanes, 1.0F);
  for (const float x : values) {
    for (const float y : values) {
      Floats a(kLanes);
      Floats b(kLanes);
      Floats c(kLanes);
      for (size_t i = 0; i < kLanes; ++i) {
        a[i] = x;
        b[i] = y;
        c[i] = signed_values[i];
      }
      check_fused(a, b, c);
      for (size_t i = 0; i < kLanes; ++i)
        CHECK((!std::isfinite(std::fmaf(x, y, c[i])) ||
               std::bit_cast<uint32_t>(kinglet::kernels::fused_multiply_add(x, y, c[i])) ==
                   std::bit_cast<uint32_t>(std::fmaf(x, y, c[i]))));
    }
  }
}

TEST_CASE("add_rows: every instruction set gives the scalar bits, for every width, count and guard side") {
  Random random(2);
  for (const size_t width : kWidths) {
    for (const size_t count : {0, 1, 2, 3, 7, 8, 9, 33}) {
      const auto side = count % 2 == 0 ? Floats::Side::begin : Floats::Side::end;
      Floats rows(5 * width, side);
      Floats start(width, side);
      Floats expected(width, side);
      fill(rows, random);
      fill(start, random);
      Guarded<RowTerm> terms(count, Guarded<RowTerm>::Side::end);
      for (RowTerm& term : terms) term = {static_cast<uint32_t>(random.below(5)), random.wide_float(6)};
      std::memcpy(expected.data(), start.data(), width * sizeof(float));
      scalar().add_rows_f32(rows.data(), width, width, terms.data(), count, 0.37F, expected.data());
      for (const KernelTable* table : other_tables()) {
        Floats actual(width, side);
        std::memcpy(actual.data(), start.data(), width * sizeof(float));
        table->add_rows_f32(rows.data(), width, width, terms.data(), count, 0.37F, actual.data());
        CHECK_MESSAGE(same_bits(expected, actual), "width " << width << ", " << count << " terms");
      }
    }
  }
}

TEST_CASE("add_rows lies within the rounding bound of an exact sum") {
  Random random(3);
  const size_t width = 96;
  const size_t count = 200;
  Floats rows(50 * width);
  fill(rows, random);
  std::vector<RowTerm> terms;
  for (size_t t = 0; t < count; ++t)
    terms.push_back({static_cast<uint32_t>(random.below(50)), random.wide_float(3)});
  Floats sum(width);
  fill(sum, random);
  std::vector<float> start(sum.begin(), sum.end());
  scalar().add_rows_f32(rows.data(), width, width, terms.data(), count, 0.25F, sum.data());
  for (size_t o = 0; o < width; ++o) {
    long double exact = 0;
    long double magnitude = 0;
    for (const RowTerm& term : terms) {
      const long double product = static_cast<long double>(term.weight) * rows[term.row * width + o];
      exact += product;
      magnitude += std::fabs(product);
    }
    exact = 0.25L * exact + start[o];
    // n fused steps and one more: each errs by at most 2^-24 of a partial sum, and none exceeds the
    // magnitudes' sum.
    const long double bound = (count + 1) * 0x1p-24L * (0.25L * magnitude + std::fabs(start[o]));
    CHECK(std::fabs(static_cast<long double>(sum[o]) - exact) <= bound);
  }
}

TEST_CASE(
    "gemv: every instruction set gives the scalar bits, for every shape, panel, epilogue and number of "
    "lanes") {
  Random random(4);
  for (const size_t panel : {kSlimPanel, kWidePanel}) {
    for (const size_t panels : {1, 2, 3, 4, 5, 47}) {
      for (const size_t inputs : {1, 2, 3, 31, 63, 64, 65, 127, 128, 129, 200}) {
        const size_t outputs = panel * panels;
        const auto side = inputs % 2 == 0 ? Floats::Side::begin : Floats::Side::end;
        Floats weights(outputs * inputs, side);
        Floats bias(outputs, side);
        for (Floats* values : {&weights, &bias}) fill(*values, random);
        const size_t lanes = 1 + random.below(9);
        std::deque<Floats> in;
        std::deque<Floats> expected;
        std::deque<EpilogueCase> epilogues;
        for (size_t lane = 0; lane < lanes; ++lane) {
          fill(in.emplace_back(inputs, side), random);
          epilogues.emplace_back(outputs, static_cast<unsigned>(random.below(EpilogueCase::kKinds)), random);
          expected.emplace_back(outputs, side);
          const DenseLane alone = {in[lane].data(), 0, epilogues[lane].epilogue, expected[lane].data()};
          scalar().gemv_f32(weights.data(), panel, inputs, outputs, bias.data(), &alone, 1);
        }
        for (const KernelTable* table : other_tables()) {
          std::deque<Floats> actual;
          std::vector<DenseLane> all;
          for (size_t lane = 0; lane < lanes; ++lane) {
            actual.emplace_back(outputs, side);
            all.push_back({in[lane].data(), 0, epilogues[lane].epilogue, actual[lane].data()});
          }
          table->gemv_f32(weights.data(), panel, inputs, outputs, bias.data(), all.data(), lanes);
          bool same = true;
          for (size_t lane = 0; lane < lanes; ++lane) same &= same_bits(expected[lane], actual[lane]);
          CHECK_MESSAGE(same,
                        "panel " << panel << ", " << outputs << " x " << inputs << ", " << lanes << " lanes");
        }
      }
    }
  }
}

TEST_CASE("gemv lies within the rounding bound of an exact product") {
  Random random(5);
  const size_t inputs = 1500;
  const size_t outputs = 64;
  Floats weights(outputs * inputs);
  Floats in(inputs);
  Floats bias(outputs);
  Floats out(outputs);
  for (Floats* values : {&weights, &in, &bias}) fill(*values, random, 8);
  for (unsigned kind = 0; kind < EpilogueCase::kKinds; ++kind) {
    const EpilogueCase epilogue(outputs, kind, random);
    const DenseLane lane = {in.data(), 0, epilogue.epilogue, out.data()};
    scalar().gemv_f32(weights.data(), kWidePanel, inputs, outputs, bias.data(), &lane, 1);
    for (size_t o = 0; o < outputs; ++o) {
      long double exact = bias[o];
      long double magnitude = std::fabs(bias[o]);
      for (size_t i = 0; i < inputs; ++i) {
        const long double product =
            static_cast<long double>(weights[(o / kWidePanel * inputs + i) * kWidePanel + o % kWidePanel]) *
            in[i];
        exact += product;
        magnitude += std::fabs(product);
      }
      // The sum's bound as for add_rows; the epilogue multiplies by at most 2 (norm_scale) and adds a few
      // values of at most 2 * 2 + 2, each rounded once.
      const long double bound = 2 * (inputs * 0x1p-24L * magnitude) + 16 * 0x1p-24L * (magnitude + 16);
      CHECK(std::fabs(static_cast<long double>(out[o]) - finish_exactly(exact, epilogue.epilogue, o)) <=
            bound);
    }
  }
}

TEST_CASE("activate: every instruction set gives the scalar bits for every epilogue, also in place") {
  Random random(6);
  for (const size_t width : kWidths) {
    for (unsigned kind = 0; kind < EpilogueCase::kKinds; ++kind) {
      const EpilogueCase epilogue(width, kind, random);
      Floats in(width);
      for (float& value : in) value = random.wide_float(20);
      Floats expected(width);
      scalar().activate_f32(in.data(), width, epilogue.epilogue, expected.data());
      for (const KernelTable* table : other_tables()) {
        Floats actual(width);
        table->activate_f32(in.data(), width, epilogue.epilogue, actual.data());
        CHECK(same_bits(expected, actual));
        std::memcpy(actual.data(), in.data(), width * sizeof(float));
        table->activate_f32(actual.data(), width, epilogue.epilogue, actual.data());
        CHECK(same_bits(expected, actual));
      }
    }
  }
}

TEST_CASE("leaky ReLU of zeros and denormals has the scalar bits") {
  Random random(7);
  Floats in(16);
  const float smallest = std::bit_cast<float>(1U);
  const float values[] = {0.0F, -0.0F, smallest, -smallest, 0x1p-126F, -0x1p-126F, 1e-40F, -1e-40F};
  for (size_t i = 0; i < in.size(); ++i) in[i] = values[i % std::size(values)];
  Epilogue epilogue;
  epilogue.leaky = true;
  epilogue.slope = 0.01F;
  Floats expected(16);
  scalar().activate_f32(in.data(), 16, epilogue, expected.data());
  CHECK(std::bit_cast<uint32_t>(expected[1]) == 0x8000'0000U);
  for (const KernelTable* table : other_tables()) {
    Floats actual(16);
    table->activate_f32(in.data(), 16, epilogue, actual.data());
    CHECK(same_bits(expected, actual));
  }
}

TEST_CASE("instruction sets have distinct names that parse back, and scalar is always supported") {
  for (const Isa isa : kinglet::kernels::built_isas()) {
    CHECK(kinglet::kernels::isa_from_name(kinglet::kernels::isa_name(isa)) == isa);
    CHECK(kinglet::kernels::table_of(isa)->isa == isa);
  }
  CHECK(kinglet::kernels::supported(Isa::scalar));
  CHECK(kinglet::kernels::supported(kinglet::kernels::best_isa()));
  CHECK(kinglet::kernels::isa_from_name("pentium") == std::nullopt);
}

TEST_CASE("an instruction set of another architecture has a name but no table, and is not supported") {
#if defined(__x86_64__)
  const Isa other = *kinglet::kernels::isa_from_name("neon");
#else
  const Isa other = *kinglet::kernels::isa_from_name("avx2");
#endif
  CHECK(kinglet::kernels::table_of(other) == nullptr);
  CHECK_FALSE(kinglet::kernels::supported(other));
}
