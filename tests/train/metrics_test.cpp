// AP and RCE against scikit-learn's own numbers, against their definitions row by row, and over parts of the
// rows.

#include "kinglet/metrics/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include <rapidcheck.h>

#include "kinglet/formats/error.h"
#include "kinglet/metrics/bootstrap.h"
#include "kinglet/metrics/evaluation.h"
#include "kinglet/metrics/popularity.h"

#include "support/npz.h"
#include "support/random.h"
#include "support/support.h"

using namespace kinglet;
using namespace kinglet::metrics;
using kinglet::test::error_of;
using kinglet::test::Random;

namespace {

struct Sample {
  std::vector<double> probabilities;
  std::vector<uint8_t> positive;
};

/// Few distinct probabilities, so that ties are the rule.
Sample random_sample() {
  Sample sample;
  const auto rows = *rc::gen::inRange<size_t>(1, 40);
  const auto distinct = *rc::gen::inRange<int>(1, 12);
  for (size_t i = 0; i < rows; ++i) {
    sample.probabilities.push_back(*rc::gen::inRange(0, distinct + 1) / static_cast<double>(distinct));
    sample.positive.push_back(*rc::gen::inRange<uint8_t>(0, 2));
  }
  return sample;
}

/// The definition: for each distinct probability, precision and recall of "at least that probable".
double precision_by_definition(const Sample& sample) {
  const auto positives =
      static_cast<double>(std::accumulate(sample.positive.begin(), sample.positive.end(), 0));
  std::vector<double> thresholds = sample.probabilities;
  std::sort(thresholds.begin(), thresholds.end(), std::greater<>());
  thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
  double sum = 0;
  double last_recall = 0;
  for (const double threshold : thresholds) {
    double found = 0;
    double right = 0;
    for (size_t i = 0; i < sample.positive.size(); ++i) {
      if (sample.probabilities[i] < threshold) continue;
      ++found;
      right += sample.positive[i];
    }
    sum += (right / positives - last_recall) * (right / found);
    last_recall = right / positives;
  }
  return sum;
}

double entropy_by_definition(const Sample& sample) {
  const auto rows = static_cast<double>(sample.positive.size());
  const double share = std::accumulate(sample.positive.begin(), sample.positive.end(), 0) / rows;
  double own = 0;
  double constant = 0;
  for (size_t i = 0; i < sample.positive.size(); ++i) {
    const double p = std::min(std::max(sample.probabilities[i], 1e-7), 1 - 1e-7);
    own -= sample.positive[i] != 0 ? std::log(p) : std::log(1 - p);
    constant -= sample.positive[i] != 0 ? std::log(share) : std::log(1 - share);
  }
  return 100 * (1 - own / constant);
}

std::optional<double> precision(const Sample& sample) {
  return average_precision(std::span<const double>(sample.probabilities), sample.positive);
}

std::optional<double> entropy(const Sample& sample) {
  return relative_cross_entropy(std::span<const double>(sample.probabilities), sample.positive);
}

bool near(double a, double b) {
  return std::abs(a - b) <= 1e-12 * std::max({1.0, std::abs(a), std::abs(b)});
}

bool near(std::optional<double> a, std::optional<double> b) {
  return a.has_value() == b.has_value() && (!a || near(*a, *b));
}

/// What a row of the tests needs: names as numbers.
struct PlainRow {
  uint32_t tweet = 0;
  uint32_t author = 0;
  uint32_t language = 0;
  uint32_t followers = 0;
  std::array<bool, kReactions> reacted{};
  std::array<float, kReactions> probabilities{};
};

PlainRow random_row(Random& random) {
  PlainRow row;
  row.tweet = static_cast<uint32_t>(random.below(60));
  row.author = row.tweet % 17;
  row.language = static_cast<uint32_t>(random.below(4));
  row.followers = static_cast<uint32_t>(random.below(3)) + 10 * row.author * (row.author % 3);
  for (size_t r = 0; r < kReactions; ++r) {
    row.reacted[r] = random.below(r + 2) == 0;
    row.probabilities[r] = static_cast<float>(random.below(21)) / 20;
  }
  return row;
}

struct Rows {
  EvaluatedRows rows;
  Probabilities probabilities;

  void add(const PlainRow& plain) {
    const std::string tweet = "T" + std::to_string(plain.tweet);
    const std::string author = "A" + std::to_string(plain.author);
    const std::string language = "L" + std::to_string(plain.language);
    Row row;
    row.tweet_id = tweet;
    row.author_id = author;
    row.language = language;
    row.author_follower_count = plain.followers;
    row.has_labels = true;
    for (size_t r = 0; r < kReactions; ++r) row.reaction_timestamps[r] = plain.reacted[r] ? 1'600'000'000 : 0;
    rows.add(row);
    probabilities.add(plain.probabilities);
  }
};

/// One reaction's sample of the rows that `takes` accepts.
template <typename Takes>
Sample sample_of(const std::vector<PlainRow>& rows, size_t reaction, const Takes& takes) {
  Sample sample;
  for (const PlainRow& row : rows) {
    if (!takes(row)) continue;
    sample.probabilities.push_back(static_cast<double>(row.probabilities[reaction]));
    sample.positive.push_back(row.reacted[reaction] ? 1 : 0);
  }
  return sample;
}

void check_result(const ReactionResult& result, const Sample& sample) {
  const int positives = std::accumulate(sample.positive.begin(), sample.positive.end(), 0);
  CHECK(result.rows == sample.positive.size());
  CHECK(result.positives == static_cast<uint64_t>(positives));
  const bool measurable = positives > 0 && static_cast<size_t>(positives) < sample.positive.size();
  REQUIRE(result.metrics.has_value() == measurable);
  if (!measurable) return;
  CHECK(near(result.metrics->average_precision, precision_by_definition(sample)));
  CHECK(near(result.metrics->relative_cross_entropy, entropy_by_definition(sample)));
}

}  // namespace

TEST_CASE("the published program's numbers") {
  REQUIRE_SHARED(shared);
  const kinglet::test::NpzFile golden(shared / "golden" / "metrics.npz");
  Sample sample{golden.f64("p"), {}};
  for (const int64_t label : golden.i64("y")) sample.positive.push_back(static_cast<uint8_t>(label));
  REQUIRE(sample.positive.size() == 5'000);
  CHECK(std::abs(*precision(sample) - golden.f64("ap")[0]) <= 1e-12);
  CHECK(std::abs(*entropy(sample) - golden.f64("rce")[0]) <= 1e-12);
}

TEST_CASE("numbers worked out by hand") {
  // From the top: positive, negative, positive, negative: (1 + 2/3) / 2.
  CHECK(near(*precision({{0.1, 0.4, 0.35, 0.8}, {0, 0, 1, 1}}), 5.0 / 6));
  // All rows tie: the precision is the share of positives.
  CHECK(near(*precision({{0.5, 0.5, 0.5, 0.5}, {1, 0, 0, 0}}), 0.25));
  CHECK(near(*precision({{0.3}, {1}}), 1));
  CHECK(near(*entropy({{0.25, 0.25, 0.25, 0.25}, {1, 0, 0, 0}}), 0));
  CHECK(near(*entropy({{0.5, 0.5}, {1, 0}}), 0));
  // Wrong and certain costs log(1e7) a row, not infinity.
  CHECK(*entropy({{0, 1}, {1, 0}}) ==
        doctest::Approx(100 * (1 - std::log(1e7) / std::log(2.0))).epsilon(1e-9));
}

TEST_CASE("no positives, no negatives, no rows") {
  CHECK(!precision({{0.1, 0.2}, {0, 0}}).has_value());
  CHECK(!entropy({{0.1, 0.2}, {0, 0}}).has_value());
  CHECK(!entropy({{0.1, 0.2}, {1, 1}}).has_value());
  CHECK(!precision({{}, {}}).has_value());
  CHECK(!entropy({{}, {}}).has_value());
}

TEST_CASE("what is no probability is refused with its row") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double wrong : {nan, -0.001, 1.001, std::numeric_limits<double>::infinity()}) {
    const Sample sample{{0.5, wrong}, {0, 1}};
    CHECK(error_of([&] { precision(sample); }).find("row 1: expected a probability from 0 to 1") == 0);
    CHECK(error_of([&] { entropy(sample); }).find("row 1: ") == 0);
    Probabilities probabilities;
    probabilities.add({0, 0, 0, 0});
    const auto narrow = static_cast<float>(wrong);
    CHECK(error_of([&] { probabilities.add({0, 0, narrow, 0}); }).find("row 1: ") == 0);
  }
  CHECK(error_of([] { precision({{0.5, 0.5}, {1}}); }).find("got 2 and 1") != std::string::npos);
}

TEST_CASE("AP and RCE are their definitions, ties among them") {
  CHECK(rc::check([] {
    const Sample sample = random_sample();
    const int positives = std::accumulate(sample.positive.begin(), sample.positive.end(), 0);
    RC_ASSERT(precision(sample).has_value() == (positives > 0));
    if (positives > 0) RC_ASSERT(near(*precision(sample), precision_by_definition(sample)));
    const bool both = positives > 0 && static_cast<size_t>(positives) < sample.positive.size();
    RC_ASSERT(entropy(sample).has_value() == both);
    if (both) RC_ASSERT(near(*entropy(sample), entropy_by_definition(sample)));
  }));
}

TEST_CASE("the order of the rows, a monotone change of scale and doubled rows change nothing") {
  CHECK(rc::check([] {
    const Sample sample = random_sample();
    Sample reversed = sample;
    std::reverse(reversed.probabilities.begin(), reversed.probabilities.end());
    std::reverse(reversed.positive.begin(), reversed.positive.end());
    RC_ASSERT(near(precision(sample), precision(reversed)));
    RC_ASSERT(near(entropy(sample), entropy(reversed)));

    Sample squared = sample;
    for (double& p : squared.probabilities) p *= p;
    RC_ASSERT(near(precision(sample), precision(squared)));

    Sample doubled = sample;
    doubled.probabilities.insert(doubled.probabilities.end(), sample.probabilities.begin(),
                                 sample.probabilities.end());
    doubled.positive.insert(doubled.positive.end(), sample.positive.begin(), sample.positive.end());
    RC_ASSERT(near(precision(sample), precision(doubled)));
    RC_ASSERT(near(entropy(sample), entropy(doubled)));
  }));
}

TEST_CASE("floats give what the same numbers as doubles give") {
  Random random(7);
  std::vector<float> narrow;
  Sample wide;
  for (int i = 0; i < 3'000; ++i) {
    narrow.push_back(i % 50 == 0 ? -0.0F : static_cast<float>(random.uniform(0, 1)));
    wide.probabilities.push_back(static_cast<double>(narrow.back()));
    wide.positive.push_back(static_cast<uint8_t>(random.below(2)));
  }
  CHECK(average_precision(std::span<const float>(narrow), wide.positive) == precision(wide));
  CHECK(relative_cross_entropy(std::span<const float>(narrow), wide.positive) == entropy(wide));
}

TEST_CASE("the author groups lie between quantiles, equal counts together, without gaps") {
  using Counts = std::vector<uint32_t>;
  using Groups = std::vector<uint8_t>;
  CHECK(author_groups(Counts{}) == Groups{});
  CHECK(author_groups(Counts{7}) == Groups{0});
  CHECK(author_groups(Counts{3, 3, 3}) == Groups{0, 0, 0});
  CHECK(author_groups(Counts{1, 2}) == Groups{0, 1});
  CHECK(author_groups(Counts{10, 20, 30, 40, 50}) == Groups{0, 1, 2, 3, 4});
  CHECK(author_groups(Counts{50, 10, 40, 20, 30}) == Groups{4, 0, 3, 1, 2});
  CHECK(author_groups(Counts{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) == Groups{0, 0, 1, 1, 2, 2, 3, 3, 4, 4});
  // Quantiles 0, 0, 0 and 1.6 (rank 7.2): the second and the third group stay empty.
  CHECK(author_groups(Counts{0, 0, 0, 0, 0, 0, 0, 1, 4, 9}) == Groups{0, 0, 0, 0, 0, 0, 0, 1, 2, 2});
  // All four quantiles are 5, and a count on a quantile stays below it.
  CHECK(author_groups(Counts{0, 5, 5, 5, 5, 9}) == Groups{0, 0, 0, 0, 0, 1});
  // The largest counts must not overflow.
  CHECK(author_groups(Counts{4'294'967'295, 0, 4'294'967'295}) == Groups{1, 0, 1});
}

TEST_CASE("groups and languages are the metrics of their rows alone") {
  Random random(11);
  std::vector<PlainRow> rows;
  Rows data;
  for (int i = 0; i < 1'500; ++i) {
    rows.push_back(random_row(random));
    data.add(rows.back());
  }
  const Report report = evaluate(data.rows, data.probabilities);

  std::map<uint32_t, uint32_t> last_followers;
  for (const PlainRow& row : rows) last_followers[row.author] = row.followers;
  uint64_t authors = 0;
  uint64_t languages = 0;
  for (size_t r = 0; r < kReactions; ++r) {
    check_result(report.all[r], sample_of(rows, r, [](const PlainRow&) { return true; }));
    Metrics sum;
    for (const AuthorGroup& group : report.groups) {
      const auto takes = [&](const PlainRow& row) {
        const uint32_t count = last_followers[row.author];
        return count >= group.least_followers && count <= group.most_followers;
      };
      check_result(group.results[r], sample_of(rows, r, takes));
      authors += r == 0 ? group.authors : 0;
      sum.average_precision += group.results[r].metrics->average_precision;
      sum.relative_cross_entropy += group.results[r].metrics->relative_cross_entropy;
    }
    const auto groups = static_cast<double>(report.groups.size());
    CHECK(report.group_mean[r].groups == report.groups.size());
    CHECK(near(report.group_mean[r].metrics->average_precision, sum.average_precision / groups));
    CHECK(near(report.group_mean[r].metrics->relative_cross_entropy, sum.relative_cross_entropy / groups));
    for (const LanguageResults& language : report.languages) {
      const auto takes = [&](const PlainRow& row) {
        return "L" + std::to_string(row.language) == language.language;
      };
      check_result(language.results[r], sample_of(rows, r, takes));
      languages += r == 0 ? 1 : 0;
    }
  }
  CHECK(report.groups.size() > 2);
  CHECK(authors == last_followers.size());
  CHECK(languages == 4);
}

TEST_CASE("a group without positives is left out of the mean, a reaction without any has no metrics") {
  Rows data;
  const auto add = [&](uint32_t author, bool liked, float p) {
    PlainRow row;
    row.tweet = author;
    row.author = author;
    row.followers = author;
    row.reacted[0] = liked;
    row.probabilities[0] = p;
    data.add(row);
  };
  add(0, false, 0.3F);
  add(0, false, 0.2F);
  add(9, true, 0.9F);
  add(9, false, 0.1F);
  const Report report = evaluate(data.rows, data.probabilities);
  REQUIRE(report.groups.size() == 2);
  CHECK(!report.groups[0].results[0].metrics.has_value());
  CHECK(report.group_mean[0].groups == 1);
  CHECK(report.group_mean[0].metrics->average_precision == 1);
  CHECK(!report.all[1].metrics.has_value());
  CHECK(!report.group_mean[1].metrics.has_value());
}

TEST_CASE("one row, no row, rows without labels, another number of probabilities") {
  Rows data;
  CHECK(error_of([&] { evaluate(data.rows, data.probabilities); }) ==
        "expected at least one row to evaluate");
  data.add(PlainRow{});
  const Report report = evaluate(data.rows, data.probabilities);
  CHECK(report.all[0].rows == 1);
  CHECK(!report.all[0].metrics.has_value());
  CHECK(report.groups.size() == 1);
  data.probabilities.add({0, 0, 0, 0});
  CHECK(error_of([&] { evaluate(data.rows, data.probabilities); }) ==
        "expected probabilities of 1 rows, got 2");
  CHECK(error_of([&] { data.rows.add(Row{}); }) == "expected rows with the four label fields");
}

TEST_CASE("the bootstrap is the same for the same seed, and another for another") {
  Random random(3);
  Rows data;
  for (int i = 0; i < 300; ++i) data.add(random_row(random));
  BootstrapOptions options;
  options.replicates = 50;
  const auto first = bootstrap(data.rows, data.probabilities, options);
  const auto again = bootstrap(data.rows, data.probabilities, options);
  options.seed = 2;
  const auto other = bootstrap(data.rows, data.probabilities, options);
  for (size_t r = 0; r < kReactions; ++r) {
    CHECK(first[r].average_precision.size() == 50);
    CHECK(first[r].average_precision == again[r].average_precision);
    CHECK(first[r].relative_cross_entropy == again[r].relative_cross_entropy);
    CHECK(first[r].average_precision != other[r].average_precision);
    const auto interval = interval_95_of_difference(first[r].average_precision, again[r].average_precision);
    CHECK(interval->low == 0);
    CHECK(interval->high == 0);
  }
}

TEST_CASE("the bootstrap draws tweets, not rows") {
  Random random(5);
  Rows once;
  Rows tenfold;
  Rows one_tweet;
  for (int i = 0; i < 200; ++i) {
    PlainRow row = random_row(random);
    once.add(row);
    for (int copy = 0; copy < 10; ++copy) tenfold.add(row);
    row.tweet = 0;
    one_tweet.add(row);
  }
  BootstrapOptions options;
  options.replicates = 40;
  const auto narrow = bootstrap(once.rows, once.probabilities, options);
  const auto wide = bootstrap(tenfold.rows, tenfold.probabilities, options);
  const auto same = bootstrap(one_tweet.rows, one_tweet.probabilities, options);
  const Report whole = evaluate(one_tweet.rows, one_tweet.probabilities);
  for (size_t r = 0; r < kReactions; ++r) {
    for (size_t i = 0; i < options.replicates; ++i) {
      // Ten copies of each row within its tweet say nothing new.
      CHECK(near(narrow[r].average_precision[i], wide[r].average_precision[i]));
      CHECK(near(narrow[r].relative_cross_entropy[i], wide[r].relative_cross_entropy[i]));
      // A single tweet can only be drawn once.
      CHECK(near(same[r].average_precision[i], whole.all[r].metrics->average_precision));
      CHECK(near(same[r].relative_cross_entropy[i], whole.all[r].metrics->relative_cross_entropy));
    }
  }
}

TEST_CASE("the interval of independent rows is that of a binomial share") {
  // With the constant 0.5 for all, AP is the share of positives: deviation sqrt(p (1 - p) / n) = 0.0145.
  Random random(9);
  Rows data;
  for (uint32_t i = 0; i < 1'000; ++i) {
    PlainRow row;
    row.tweet = i;
    row.reacted[0] = random.below(10) < 3;
    row.probabilities[0] = 0.5F;
    data.add(row);
  }
  const auto replicates =
      bootstrap(data.rows, data.probabilities, {.replicates = 2'000, .seed = 4, .progress = {}});
  const Interval interval = *interval_95(replicates[0].average_precision);
  CHECK(interval.high - interval.low == doctest::Approx(2 * 1.96 * 0.0145).epsilon(0.1));
  CHECK(!interval_95(replicates[1].average_precision).has_value());
}

TEST_CASE("percentiles are linear between ranks and leave NaN out") {
  std::vector<double> values(41);
  std::iota(values.begin(), values.end(), 0.0);
  std::reverse(values.begin(), values.end());
  values.push_back(std::numeric_limits<double>::quiet_NaN());
  CHECK(interval_95(values)->low == doctest::Approx(1).epsilon(1e-12));
  CHECK(interval_95(values)->high == doctest::Approx(39).epsilon(1e-12));
  CHECK(!interval_95(std::vector<double>{1.0}).has_value());
}

TEST_CASE("the popularity baseline is the smoothed rate of the author") {
  PopularityBaseline baseline;
  Row row;
  row.author_id = "known";
  CHECK_THROWS_AS(baseline.add(row), Error);
  CHECK_THROWS_AS(baseline.probabilities(row), Error);
  row.has_labels = true;
  for (int i = 0; i < 40; ++i) {
    row.author_id = i < 10 ? "known" : "other";
    row.reaction_timestamps = {i % 2 == 0 ? 1'600'000'000 : 0, 0, i < 10 ? 1'600'000'000 : 0, 0};
    baseline.add(row);
  }
  row.author_id = "known";
  const auto known = baseline.probabilities(row);
  CHECK(known[0] == doctest::Approx((5 + 20 * 0.5) / 30));
  CHECK(known[1] == 0);
  CHECK(known[2] == doctest::Approx((10 + 20 * 0.25) / 30));
  row.author_id = "never seen";
  CHECK(baseline.probabilities(row)[2] == doctest::Approx(0.25));
}
