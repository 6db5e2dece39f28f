// The sums of a sketch's rows of signs against plain ones in float64, and their bits on every instruction
// set.
#include "sign_sums.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "support/random.h"
#include "support/support.h"

namespace {

using namespace kinglet;
using kernels::CountTerm;
using kernels::kSignGroup;

constexpr uint32_t kWidth = 512;
constexpr uint32_t kWide = 64;  // columns of 8 bits behind the signs
constexpr uint32_t kRows = 40;

/// 16 float-sized parts a line: what kernels take must be aligned.
template <typename T>
struct Aligned {
  explicit Aligned(size_t count) : arena(std::make_unique<Arena>()) {
    const size_t offset = arena->book<T>(count);
    arena->allocate();
    data = arena->part<T>(offset);
  }
  std::unique_ptr<Arena> arena;
  T* data;
};

struct Depth {
  std::vector<CountTerm> terms;
  float scale = 0;  // 1 / the norm
  uint64_t total = 0;
};

struct Fixture {
  Fixture() {
    test::Random random(71);
    for (size_t byte = 0; byte < kRows * row_bytes(); ++byte)
      rows.data[byte] = static_cast<uint8_t>(random.below(256));
    for (uint32_t o = 0; o < kWidth; ++o) scale.data[o] = static_cast<float>(random.uniform(0.01, 1));
    table = {rows.data, fbs::ElementType::s8, scale.data, 0, kRows, kWidth + kWide, 0, kWidth, 1};
  }
  static size_t row_bytes() { return kWidth / 8 + kWide; }

  int sign(uint32_t row, uint32_t o) const {
    const uint8_t* group = rows.data + row * row_bytes() + o / kSignGroup * 32;
    return (group[o % 32] >> o % kSignGroup / 32 & 1) == 1 ? 1 : -1;
  }

  static Depth depth_of(std::vector<CountTerm> terms) {
    Depth depth{std::move(terms), 0, 0};
    double squares = 0;
    for (const CountTerm& term : depth.terms) {
      squares += static_cast<double>(term.count) * term.count;
      depth.total += static_cast<uint64_t>(term.count);
    }
    depth.scale = static_cast<float>(1 / std::sqrt(squares));
    return depth;
  }

  std::vector<float> sums(kernels::Isa isa, const std::vector<Depth>& depths, bool same) const {
    const kernels::KernelTable& kernels = *kernels::table_of(isa);
    Arena arena;
    SignSums sign_sums;
    sign_sums.book(kWidth, arena);
    const size_t sum_offset = arena.book<float>(kWidth);
    arena.allocate();
    sign_sums.take(arena);
    auto* sum = arena.part<float>(sum_offset);
    double scaled = 0;
    uint64_t counted = 0;
    float smallest = depths.front().scale;
    for (const Depth& depth : depths) {
      scaled += double{depth.scale} * static_cast<double>(depth.total);
      counted += depth.total;
      smallest = std::min(smallest, depth.scale);
    }
    sign_sums.begin(table, scaled, counted, smallest, same);
    for (const Depth& depth : depths) sign_sums.add(kernels, table, depth.terms, 0, depth.scale, sum);
    sign_sums.end(kernels, table, sum);
    return {sum, sum + kWidth};
  }

  /// The largest difference from float64, in units of an output; every instruction set gives the same.
  double error(const std::vector<Depth>& depths, bool same) const {
    const std::vector<float> expected = sums(kernels::Isa::scalar, depths, same);
    for (const kernels::Isa isa : kernels::built_isas()) {
      if (!kernels::supported(isa)) continue;
      const std::vector<float> actual = sums(isa, depths, same);
      CHECK_MESSAGE(std::memcmp(actual.data(), expected.data(), kWidth * sizeof(float)) == 0,
                    kernels::isa_name(isa));
    }
    double largest = 0;
    for (uint32_t o = 0; o < kWidth; ++o) {
      double exact = 0;
      for (const Depth& depth : depths) {
        for (const CountTerm& term : depth.terms)
          exact += double{depth.scale} * term.count * sign(term.row, o);
      }
      largest = std::max(largest, std::fabs(expected[o] / double{scale.data[o]} - exact));
    }
    return largest;
  }

  Aligned<uint8_t> rows{kRows * row_bytes()};
  Aligned<float> scale{kWidth};
  RowTable table;
};

std::vector<Depth> random_depths(test::Random& random, size_t depths, size_t terms, int32_t most) {
  std::vector<Depth> result;
  for (size_t d = 0; d < depths; ++d) {
    std::vector<CountTerm> counts;
    for (size_t t = 0; t < terms; ++t) {
      const auto count = static_cast<int32_t>(1 + random.below(static_cast<uint64_t>(most)));
      counts.push_back({static_cast<uint32_t>(random.below(kRows)), count});
    }
    result.push_back(Fixture::depth_of(std::move(counts)));
  }
  return result;
}

double counted(const std::vector<Depth>& depths) {
  double total = 0;
  for (const Depth& depth : depths) total += static_cast<double>(depth.total);
  return total;
}

}  // namespace

TEST_CASE("signs' sums of depths with norms of their own are off by half a weight's unit a row at most") {
  const Fixture fixture;
  test::Random random(72);
  for (const size_t terms : {1, 2, 14, 28, 60}) {
    for (const int32_t most : {1, 3}) {
      const std::vector<Depth> depths = random_depths(random, 20, terms, most);
      double scaled = 0;
      for (const Depth& depth : depths) scaled += double{depth.scale} * static_cast<double>(depth.total);
      const double unit = scaled / (kernels::kMaximumSigns - 1 - counted(depths) / 2);
      const double error = fixture.error(depths, false);
      CAPTURE(terms);
      CHECK(error <= counted(depths) * unit / 2 * 1.01);
      if (most == 1) CHECK(error < 1e-3);    // all depths' norms are the same
      CHECK(error < 0.1 * std::sqrt(20.0));  // of 512 outputs; a depth adds about 1 to each
    }
  }
}

TEST_CASE("with one norm for all, and where weights would be coarse, signs' sums are exact but for floats") {
  const Fixture fixture;
  test::Random random(73);
  std::vector<Depth> same = random_depths(random, 20, 30, 2);
  for (Depth& depth : same) depth.scale = 0.25F;
  CHECK(fixture.error(same, true) < 1e-4);
  // 1,000 tokens a depth; one depth alone that is much longer than the others; more tokens than 16 bits hold,
  // of a depth and of a row; and with one norm.
  CHECK(fixture.error(random_depths(random, 20, 500, 3), false) < 1e-4);
  std::vector<Depth> uneven = random_depths(random, 19, 1, 1);
  uneven.push_back(Fixture::depth_of({{0, 1}, {1, 30'000}}));
  CHECK(fixture.error(uneven, false) < 1e-4);
  CHECK(fixture.error({Fixture::depth_of({{0, 20'000}, {1, 20'000}, {2, 1}})}, false) < 1e-3);
  CHECK(fixture.error({Fixture::depth_of({{0, 1 << 23}, {1, 65'535}, {2, 1}})}, false) < 1e-3);
  for (Depth& depth : same) depth.terms.push_back({3, 5'000});
  for (Depth& depth : same) depth.total += 5'000;
  CHECK(fixture.error(same, true) < 1e-2);  // of sums of 25,000
}
