#include "kinglet/features/elementary.h"

#include <array>
#include <cmath>
#include <vector>

#include "kinglet/features/encoding.h"
#include "kinglet/features/fourier.h"
#include "kinglet/features/row_features.h"
#include "kinglet/request.h"

#include "support/random.h"
#include "support/support.h"

using kinglet::features::Encoding;
using kinglet::features::exponential;
using kinglet::features::log2_1p;
using kinglet::features::sigmoid;
using kinglet::features::sin_cos;
using kinglet::test::Random;

namespace {

constexpr double kArgumentLimit = 2 * kinglet::kNumericLimit;

/// Sine and cosine in long double: glibc reduces any argument exactly, 11 bits beyond a double's.
void check_sin_cos(double x) {
  const auto [s, c] = sin_cos(x);
  const long double sin_error = std::fabs(s - std::sin(static_cast<long double>(x)));
  const long double cos_error = std::fabs(c - std::cos(static_cast<long double>(x)));
  if (sin_error > 0x1.2p-53L || cos_error > 0x1.2p-53L) {
    FAIL("x = " << x << ": errors " << static_cast<double>(sin_error) << ", "
                << static_cast<double>(cos_error));
  }
}

}  // namespace

TEST_CASE("sine and cosine err by little more than half a unit in the last place of 1") {
  Random random(1);
  for (int i = 0; i < 300'000; ++i) check_sin_cos(random.uniform(-10, 10));
  for (int i = 0; i < 300'000; ++i) check_sin_cos(random.uniform(-kArgumentLimit, kArgumentLimit));
  for (int exponent = -60; exponent <= 36; ++exponent) {
    for (int i = 0; i < 1'000; ++i) check_sin_cos(std::ldexp(random.uniform(-2, 2), exponent));
  }
}

TEST_CASE("sine and cosine hold for whole numbers, halves and 64ths: the arguments of counts") {
  Random random(2);
  for (int n = 0; n < 200'000; ++n) check_sin_cos(n / 64.0);
  for (int i = 0; i < 300'000; ++i) check_sin_cos(static_cast<double>(random.below(200'000'000)) / 64.0);
  check_sin_cos(kArgumentLimit);
  check_sin_cos(-kArgumentLimit);
}

TEST_CASE("sine and cosine hold next to multiples of pi/2, where the reduction cancels") {
  for (int64_t k = 1; k < 4'000'000'000; k = k * 3 + 1) {
    const double near = static_cast<double>(static_cast<long double>(k) * 1.5707963267948966192313216916398L);
    double x = std::nextafter(near, 0);
    for (int step = 0; step < 3; ++step, x = std::nextafter(x, 1e300)) check_sin_cos(x);
  }
}

TEST_CASE("sine and cosine of zero are exact") {
  CHECK(sin_cos(0.0).sin == 0.0);
  CHECK(sin_cos(0.0).cos == 1.0);
}

TEST_CASE("the exponential errs by about one unit in the last place") {
  Random random(3);
  for (int i = 0; i < 500'000; ++i) {
    const double x = i % 2 == 0 ? random.uniform(-700, 700) : random.uniform(-2, 2);
    const long double expected = std::exp(static_cast<long double>(x));
    if (std::fabs(exponential(x) - expected) > 0x1.2p-52L * expected) FAIL("x = " << x);
  }
  CHECK(exponential(0) == 1.0);
}

TEST_CASE("log2(1 + x) errs by little more than the rounding of 1 + x, and is exact where it is whole") {
  Random random(5);
  for (int i = 0; i < 400'000; ++i) {
    const double x = std::ldexp(random.uniform(0, 2), static_cast<int>(random.below(70)) - 30);
    const long double expected = std::log2(1 + static_cast<long double>(x));
    // 1 + x is off by 2^-53 relative at most: by 2^-53 / ln(2) in the logarithm.
    if (std::fabs(log2_1p(x) - expected) > 0x1.8p-53L + 0x1.8p-52L * expected) FAIL("x = " << x);
  }
  for (int exponent = 0; exponent <= 52; ++exponent) {
    CHECK(log2_1p(std::ldexp(1.0, exponent) - 1) == exponent);
  }
}

TEST_CASE("log_steps counts octaves: full steps, a part of the next, zeros; then their eighth; odd in x") {
  const Encoding encoding = Encoding::log_steps();
  REQUIRE(encoding.values() == 16);
  std::vector<float> values(16);
  encoding.encode(0, values.data());
  for (const float value : values) CHECK(value == 0);
  encoding.encode(5, values.data());
  const auto octaves = static_cast<float>(std::log2(6.0) - 2);
  CHECK(values[0] == 1);
  CHECK(values[1] == 1);
  CHECK(std::abs(values[2] - octaves) < 1e-6F);
  for (size_t i = 3; i < 15; ++i) CHECK(values[i] == 0);
  CHECK(std::abs(values[15] - (octaves + 2) / 8) < 1e-6F);
  std::vector<float> negative(16);
  encoding.encode(-5, negative.data());
  for (size_t i = 0; i < 16; ++i) CHECK(negative[i] == -values[i]);
  encoding.encode(kinglet::kNumericLimit, values.data());
  CHECK(values[14] == 1);
  CHECK(values[15] == 4.5F);
}

TEST_CASE("the sigmoid is the nearest float, monotonic, and saturates without a trap") {
  Random random(4);
  int off = 0;
  for (int i = 0; i < 300'000; ++i) {
    const auto y = static_cast<float>(random.uniform(-30, 30));
    const auto expected = static_cast<float>(1.0L / (1.0L + std::exp(-static_cast<long double>(y))));
    off += sigmoid(y) != expected ? 1 : 0;
  }
  CHECK(off == 0);
  CHECK(sigmoid(0) == 0.5F);
  CHECK(sigmoid(1e30F) == 1.0F);
  CHECK(sigmoid(-1e30F) >= 0.0F);
  CHECK(sigmoid(-1e30F) < 1e-37F);
  for (float y = -20; y < 20; y += 0.01F) CHECK(sigmoid(y) <= sigmoid(y + 0.01F));
}

TEST_CASE("Fourier encoding lays sines before cosines and rounds to float once") {
  const std::vector<double> inverse = {2, 1, 0.5};
  double exact[6];
  float rounded[6];
  kinglet::features::encode_fourier_f64(1234.5, inverse, exact);
  kinglet::features::encode_fourier(1234.5, inverse, rounded);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(exact[i] == sin_cos(1234.5 * inverse[i]).sin);
    CHECK(exact[3 + i] == sin_cos(1234.5 * inverse[i]).cos);
  }
  for (size_t i = 0; i < 6; ++i) CHECK(rounded[i] == static_cast<float>(exact[i]));
}

TEST_CASE("ages in seconds are exact, may be negative, and stay where encodings take them") {
  kinglet::Row row;
  row.tweet_timestamp = 1'457'964'607;
  row.reader_account_creation = row.tweet_timestamp;
  row.author_account_creation = 1'457'963'676;
  std::array<double, kinglet::kFineAgeNumerics> ages{};
  kinglet::features::fill_fine_ages(row, ages);
  CHECK(ages[0] == 0);
  CHECK(ages[1] == 931);
  row.reader_account_creation = row.tweet_timestamp + 5;
  row.author_account_creation = kinglet::RowLimits::timestamp;
  kinglet::features::fill_fine_ages(row, ages);
  CHECK(ages[0] == -5);
  CHECK(ages[1] == -kinglet::kNumericLimit);
}
