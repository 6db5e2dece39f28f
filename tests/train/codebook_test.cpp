// EMDE: the fit and the codes, against the published program and a plain reading of spec section 5.

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include <rapidcheck.h>

#include "kinglet/codebook/codebook_writer.h"
#include "kinglet/codebook/emde.h"
#include "kinglet/converter/vocabulary.h"

#include "src/emde_fit.h"
#include "src/random.h"
#include "support/npz.h"
#include "support/random.h"
#include "support/support.h"

using namespace kinglet::codebook;
using namespace kinglet::test;

namespace {

TokenVectors random_vectors(size_t tokens, size_t dimensions, uint64_t seed) {
  kinglet::test::Random random(seed);
  TokenVectors vectors{{}, dimensions, {}};
  for (size_t token = 0; token < tokens; ++token) vectors.ids.push_back(static_cast<uint32_t>(3 * token + 1));
  for (size_t place = 0; place < tokens * dimensions; ++place)
    vectors.values.push_back(static_cast<float>(random.uniform(-2, 5)));
  return vectors;
}

double plain_projection(const EmdeHash& hash, std::span<const float> vector, size_t projection) {
  double sum = 0;
  for (size_t i = 0; i < vector.size(); ++i)
    sum += (vector[i] - hash.mean[i]) / hash.scale[i] * hash.components[projection * vector.size() + i];
  return sum;
}

/// Spec section 5, steps 4 and 5, with the bits written out.
uint32_t plain_code(const EmdeHash& hash, std::span<const float> vector, uint32_t depth) {
  std::string bits;
  for (size_t bit = 0; bit < 16; ++bit) {
    const size_t projection = depth * 16 + bit;
    bits += plain_projection(hash, vector, projection) > hash.biases[projection] ? '1' : '0';
  }
  const auto first_byte = static_cast<uint32_t>(std::stoul(bits.substr(0, 8), nullptr, 2));
  const auto second_byte = static_cast<uint32_t>(std::stoul(bits.substr(8), nullptr, 2));
  return depth * hash.width + (first_byte + 256 * second_byte) % hash.width;
}

/// All tokens' projections, sorted.
std::vector<double> sorted_projections(const EmdeHash& hash, const TokenVectors& vectors, size_t projection) {
  std::vector<double> values;
  for (size_t token = 0; token < vectors.tokens(); ++token)
    values.push_back(plain_projection(hash, vectors.vector(token), projection));
  std::sort(values.begin(), values.end());
  return values;
}

bool same(const EmdeHash& a, const EmdeHash& b) {
  return a.depth == b.depth && a.width == b.width && a.mean == b.mean && a.scale == b.scale &&
         a.components == b.components && a.biases == b.biases;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

/// What the published program drew and fitted.
EmdeHash golden_hash(const NpzFile& golden, uint32_t depth, uint32_t width) {
  return {
      depth, width, golden.f64("mean"), golden.f64("scale"), golden.f32("components"), golden.f64("biases")};
}

}  // namespace

TEST_CASE("emde: the published program's fit and codes") {
  REQUIRE_SHARED(shared);
  const TokenVectors vectors =
      kinglet::converter::read_token_vectors(shared / "golden" / "emde_embeddings.npy");
  CHECK(vectors.tokens() == 3000);
  constexpr std::array<std::array<uint32_t, 2>, 3> kShapes{{{20, 256}, {7, 100}, {10, 1024}}};
  for (const auto& [depth, width] : kShapes) {
    const NpzFile golden(shared / "golden" /
                         ("emde_d" + std::to_string(depth) + "_w" + std::to_string(width) + ".npz"));
    const EmdeHash expected = golden_hash(golden, depth, width);
    EmdeHash fitted{depth, width, {}, {}, expected.components, {}};
    fit_standardisation(vectors, fitted);
    CHECK(largest_difference(fitted.mean, expected.mean) <= 1e-12);
    CHECK(largest_difference(fitted.scale, expected.scale) <= 1e-12);
    fit_biases(vectors, {}, fitted, {});
    CHECK(largest_difference(fitted.biases, expected.biases) <= 1e-6);

    const std::vector<uint32_t> codes = emde_codes(expected, vectors);
    const std::vector<int64_t> golden_codes = golden.i64("codes");
    REQUIRE(codes.size() == golden_codes.size());
    CHECK(std::equal(codes.begin(), codes.end(), golden_codes.begin(),
                     [](uint32_t code, int64_t expected_code) { return code == expected_code; }));
  }
}

TEST_CASE("emde: codes of any depth and width are those of the spec read plainly") {
  const bool holds = rc::check([] {
    const auto tokens = *rc::gen::inRange<size_t>(1, 70);
    const auto dimensions = *rc::gen::inRange<size_t>(1, 20);
    EmdeOptions options;
    options.depth = *rc::gen::inRange(1U, 12U);
    options.width = *rc::gen::element(1U, 2U, 3U, 16U, 100U, 255U, 256U, 257U, 1024U, 65'535U, 65'536U);
    options.bias = *rc::gen::element(Bias::median, Bias::quantile);
    options.seed = *rc::gen::arbitrary<uint64_t>();
    const TokenVectors vectors = random_vectors(tokens, dimensions, options.seed);
    const EmdeHash hash = fit_emde(vectors, options);
    const std::vector<uint32_t> codes = emde_codes(hash, vectors);
    for (size_t token = 0; token < tokens; ++token) {
      for (uint32_t depth = 0; depth < options.depth; ++depth)
        RC_ASSERT(codes[token * options.depth + depth] == plain_code(hash, vectors.vector(token), depth));
    }
  });
  CHECK(holds);
}

TEST_CASE("emde: biases are numpy's medians, or quantiles between the extremes") {
  const bool holds = rc::check([] {
    const TokenVectors vectors =
        random_vectors(*rc::gen::inRange<size_t>(1, 60), 5, *rc::gen::arbitrary<uint64_t>());
    EmdeOptions options{.depth = 3, .width = 256, .bias = Bias::median, .seed = 1};
    const EmdeHash median = fit_emde(vectors, options);
    options.bias = Bias::quantile;
    const EmdeHash quantile = fit_emde(vectors, options);
    RC_ASSERT(median.components == quantile.components);
    for (size_t projection = 0; projection < median.projections(); ++projection) {
      const std::vector<double> sorted = sorted_projections(median, vectors, projection);
      const size_t n = sorted.size();
      const double middle = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
      RC_ASSERT(std::abs(median.biases[projection] - middle) <= 1e-15 * std::abs(middle));
      RC_ASSERT(quantile.biases[projection] >= sorted.front());
      RC_ASSERT(quantile.biases[projection] <= sorted.back());
    }
  });
  CHECK(holds);
}

TEST_CASE("emde: quantiles are spread evenly over the tokens") {
  const TokenVectors vectors = random_vectors(400, 6, 9);
  const EmdeHash hash = fit_emde(vectors, {.depth = 60, .width = 256, .bias = Bias::quantile, .seed = 4});
  std::array<size_t, 4> quarters{};
  for (size_t projection = 0; projection < hash.projections(); ++projection) {
    const std::vector<double> sorted = sorted_projections(hash, vectors, projection);
    const auto below =
        std::lower_bound(sorted.begin(), sorted.end(), hash.biases[projection]) - sorted.begin();
    ++quarters.at(std::min<size_t>(static_cast<size_t>(below) / 100, 3));
  }
  // 240 draws in each quarter are expected, with a standard deviation of 13.4.
  for (const size_t draws : quarters) CHECK(std::abs(static_cast<double>(draws) - 240) < 60);
}

TEST_CASE("emde: the seed alone decides; every platform draws the same components") {
  const TokenVectors vectors = random_vectors(100, 8, 1);
  const EmdeHash first = fit_emde(vectors, {.seed = 5});
  CHECK(same(first, fit_emde(vectors, {.seed = 5})));
  CHECK(first.components != fit_emde(vectors, {.seed = 6}).components);
  // Drawn once, by this program: another platform, compiler or C library must not change a bit.
  CHECK(first.components[0] == 0x1.0e0d08p-8F);
  CHECK(first.components[1] == 0x1.9663c6p-4F);
  CHECK(first.components[2559] == 0x1.e3759ep-4F);
}

TEST_CASE("emde: two threads get the bits of one") {
  const TokenVectors vectors = random_vectors(300, 8, 1);
  const EmdeHash alone = fit_emde(vectors, {});
  EmdeHash beside;
  EmdeHash here;
  std::thread other([&] { beside = fit_emde(vectors, {}); });
  here = fit_emde(vectors, {});
  other.join();
  CHECK(same(beside, alone));
  CHECK(same(here, alone));
}

TEST_CASE("emde: components are normal with variance 1 / (16 x depth)") {
  const TokenVectors vectors = random_vectors(2, 500, 1);
  const EmdeHash hash = fit_emde(vectors, {.depth = 25});
  double sum = 0;
  double squares = 0;
  size_t beyond_two_deviations = 0;
  for (const float component : hash.components) {
    const double normal = component * 20.0;
    sum += normal;
    squares += normal * normal;
    if (std::abs(normal) > 2) ++beyond_two_deviations;
  }
  const auto count = static_cast<double>(hash.components.size());  // 200,000
  CHECK(std::abs(sum / count) < 0.01);
  CHECK(std::abs(squares / count - 1) < 0.015);
  CHECK(std::abs(static_cast<double>(beyond_two_deviations) / count - 0.0455) < 0.002);
}

TEST_CASE("logarithm: libm's within 3 units in the last place") {
  kinglet::test::Random random(2);
  for (int i = 0; i < 100'000; ++i) {
    const double x = std::ldexp(random.uniform(0.5, 1), static_cast<int>(random.below(600)) - 300);
    const double expected = std::log(x);
    REQUIRE(std::abs(logarithm(x) - expected) <= 0x1p-51 * std::max(std::abs(expected), 0.5));
  }
  CHECK(logarithm(1) == 0);
}

TEST_CASE("emde: a constant dimension keeps scale 1 and moves no code") {
  TokenVectors vectors = random_vectors(50, 3, 3);
  const EmdeHash before = fit_emde(vectors, {});
  // 0.1F summed 50 times and divided by 50 is not 0.1F again: the variance comes out as rounding, not as
  // zero.
  for (size_t token = 0; token < vectors.tokens(); ++token) vectors.values[token * 3 + 1] = 0.1F;
  const EmdeHash hash = fit_emde(vectors, {});
  CHECK(hash.scale[1] == 1);
  CHECK(hash.scale[0] == before.scale[0]);
  const std::vector<uint32_t> codes = emde_codes(hash, vectors);
  for (size_t token = 0; token < vectors.tokens(); ++token)
    CHECK(codes[token * 20] == plain_code(hash, vectors.vector(token), 0));
}

TEST_CASE("emde: one token gets the code 0 at every depth") {
  const TokenVectors vectors = random_vectors(1, 4, 3);
  const std::vector<uint32_t> codes = emde_codes(fit_emde(vectors, {.depth = 3, .width = 10}), vectors);
  CHECK(codes == std::vector<uint32_t>{0, 10, 20});
}

TEST_CASE("emde: what cannot be fitted or coded is refused") {
  const TokenVectors vectors = random_vectors(4, 4, 3);
  CHECK(error_of([&] { fit_emde({}, {}); }) ==
        "codebook: expected at least one token vector of at least one dimension");
  CHECK(error_of([&] { fit_emde(vectors, {.depth = 0}); }) == "codebook: expected a depth of 1 to 256");
  CHECK(error_of([&] { fit_emde(vectors, {.depth = 257}); }) == "codebook: expected a depth of 1 to 256");
  CHECK(error_of([&] { fit_emde(vectors, {.width = 0}); }) == "codebook: expected a width of 1 to 65536");
  CHECK(error_of([&] { fit_emde(vectors, {.width = 65'537}); }) ==
        "codebook: expected a width of 1 to 65536");
  const EmdeHash hash = fit_emde(vectors, {});
  CHECK(error_of([&] { emde_codes(hash, random_vectors(4, 5, 3)); }) ==
        "codebook: expected vectors of 4 dimensions, as the hash has, got 5");
}

TEST_CASE("emde: parameters read back are the same hash") {
  const TempDir dir;
  const TokenVectors vectors = random_vectors(40, 6, 3);
  const EmdeHash hash = fit_emde(vectors, {.depth = 5, .width = 300});
  write_emde(dir / "hash", hash);
  CHECK(same(read_emde(dir / "hash"), hash));
  const std::string bytes = read_file(dir / "hash");
  write_emde(dir / "hash", hash);
  CHECK(read_file(dir / "hash") == bytes);
}

TEST_CASE("emde: parameters that are not a hash are refused") {
  const TempDir dir;
  const std::filesystem::path path = dir / "hash";
  EmdeHash hash = fit_emde(random_vectors(40, 6, 3), {.depth = 2});
  const auto refusal = [&](EmdeHash broken) {
    write_emde(path, broken);
    return error_of([&] { read_emde(path); }).substr(path.string().size());
  };
  EmdeHash broken = hash;
  broken.scale[2] = 0;
  CHECK(refusal(broken) == ": 'scale': expected positive numbers");
  broken = hash;
  broken.biases.pop_back();
  CHECK(refusal(broken).starts_with(": "));
  broken = hash;
  broken.components[3] = NAN;
  CHECK(refusal(broken) == ": 'components': expected finite numbers");
  broken = hash;
  broken.width = 70'000;
  CHECK(refusal(broken) == ": 'width': expected an integer of 1 to 65536");
  kinglet::converter::write_token_vectors(path, random_vectors(3, 2, 1));
  CHECK(error_of([&] { read_emde(path); }) ==
        path.string() + ": 'components': expected in the parameters of a codebook, but missing");
}

TEST_CASE("codebook: the converter reads what was written") {
  const TempDir dir;
  const TokenVectors vectors = random_vectors(40, 6, 3);
  const std::vector<uint32_t> codes = emde_codes(fit_emde(vectors, {.depth = 4}), vectors);
  write_codebook(dir / "codebook.json", vectors.ids, codes);
  const auto read = kinglet::converter::read_codebook(dir / "codebook.json");
  CHECK(read.depth == 4);
  CHECK(read.token_limit == vectors.ids.back() + 1);
  for (size_t token = 0; token < vectors.tokens(); ++token) {
    for (size_t d = 0; d < 4; ++d) CHECK(read.codes[vectors.ids[token] * 4 + d] == codes[token * 4 + d]);
  }
  CHECK(read_file(dir / "codebook.json").starts_with("{\n\"1\": ["));
  write_codebook(dir / "codebook.json", {}, {});
  CHECK(read_file(dir / "codebook.json") == "{}\n");
  CHECK(kinglet::converter::read_codebook(dir / "codebook.json").depth == 0);
}

TEST_CASE("codebook: the converter takes a few tokens of a large vocabulary") {
  const TempDir dir;
  const std::vector<uint32_t> ids{119'546};
  const std::vector<uint32_t> codes(20, 7);
  write_codebook(dir / "codebook.json", ids, codes);
  CHECK(kinglet::converter::read_codebook(dir / "codebook.json").token_limit == 119'547);
}

TEST_CASE("codebook: on a full disk the old files stay") {
  const TempDir dir;
  const TokenVectors vectors = random_vectors(4'000, 6, 3);
  const EmdeHash hash = fit_emde(vectors, {.depth = 250, .width = 100});
  const std::vector<uint32_t> codes = emde_codes(hash, vectors);
  for (const char* name : {"codebook.json", "hash"}) write_file(dir / name, "old");
  {
    const FileSizeLimit full(1 << 14);
    CHECK(error_of([&] {
            write_codebook(dir / "codebook.json", vectors.ids, codes);
          }).find("codebook.json") != std::string::npos);
    CHECK(error_of([&] { write_emde(dir / "hash", hash); }).find("hash") != std::string::npos);
  }
  CHECK(read_file(dir / "codebook.json") == "old");
  CHECK(read_file(dir / "hash") == "old");
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 2);
}
