// Token vectors learned from rows, and the parts they are made by.

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "kinglet/codebook/emde.h"
#include "kinglet/codebook/learn.h"
#include "kinglet/formats/error.h"

#include "formats/row_text.h"
#include "src/cooccurrence.h"
#include "src/eigenvectors.h"
#include "src/pmi.h"
#include "src/tweet_sample.h"
#include "support/random.h"
#include "support/support.h"

using namespace kinglet::codebook;
using namespace kinglet::test;

namespace {

using Random = kinglet::test::Random;

OwnedRow row_of(std::vector<uint32_t> text, const std::string& tweet_id) {
  OwnedRow row;
  row.tokens = std::move(text);
  row.tokens.insert(row.tokens.begin(), 101);
  row.tokens.push_back(102);
  row.tweet_id = tweet_id;
  row.tweet_type = "TopLevel";
  row.language = "L";
  row.author_id = "A";
  row.reader_id = "R";
  row.tweet_timestamp = 1'612'137'600;
  row.author_account_creation = 1;
  row.reader_account_creation = 1;
  return row;
}

constexpr uint32_t kTopics = 3;
constexpr uint32_t kTopicTokens = 12;

/// Tweets about one of three topics each; topic t has the tokens 1000 t + [0, 12).
std::vector<std::string> topic_lines(size_t tweets) {
  Random random(7);
  std::vector<std::string> lines;
  for (size_t tweet = 0; tweet < tweets; ++tweet) {
    const auto topic = static_cast<uint32_t>(random.below(kTopics));
    std::vector<uint32_t> text;
    for (int word = 0; word < 8; ++word)
      text.push_back(1'000 * (topic + 1) + static_cast<uint32_t>(random.below(kTopicTokens)));
    lines.push_back(line_of(row_of(std::move(text), "T" + std::to_string(tweet))));
  }
  return lines;
}

Learned learn(const std::vector<std::string>& lines, const LearnOptions& options = {}) {
  const TempDir dir;
  write_file(dir / "rows", join(lines, '\n') + "\n");
  return learn_token_vectors({dir / "rows"}, options);
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double product = 0;
  double of_a = 0;
  double of_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    product += double{a[i]} * b[i];
    of_a += double{a[i]} * a[i];
    of_b += double{b[i]} * b[i];
  }
  return product / std::sqrt(of_a * of_b);
}

/// A dense view of a sparse matrix.
std::vector<std::vector<double>> dense(const SparseMatrix& matrix) {
  std::vector<std::vector<double>> rows(matrix.size(), std::vector<double>(matrix.size()));
  for (size_t row = 0; row < matrix.size(); ++row) {
    for (uint64_t place = matrix.rows[row]; place < matrix.rows[row + 1]; ++place)
      rows[row][matrix.entries[place].column] = matrix.entries[place].value;
  }
  return rows;
}

SparseMatrix sparse(const std::vector<std::vector<double>>& rows) {
  SparseMatrix matrix;
  for (const auto& row : rows) {
    for (uint32_t column = 0; column < row.size(); ++column) {
      if (row[column] != 0) matrix.entries.push_back({column, static_cast<float>(row[column])});
    }
    matrix.rows.push_back(matrix.entries.size());
  }
  return matrix;
}

}  // namespace

TEST_CASE("learn: tokens of one topic lie together, apart from the other topics") {
  const Learned learned = learn(topic_lines(400));
  const TokenVectors& vectors = learned.vectors;
  CHECK(learned.report.tweets == 400);
  CHECK(learned.report.occurrences == 3'200);
  REQUIRE(vectors.tokens() == kTopics * kTopicTokens);
  CHECK(std::is_sorted(vectors.ids.begin(), vectors.ids.end()));
  CHECK(vectors.dimensions <= kTopics * kTopicTokens);
  const TokenVectors main = learn(topic_lines(400), {.dimensions = kTopics}).vectors;
  for (size_t a = 0; a < main.tokens(); ++a) {
    for (size_t b = 0; b < a; ++b) {
      const bool together = main.ids[a] / 1'000 == main.ids[b] / 1'000;
      const double likeness = cosine(main.vector(a), main.vector(b));
      CHECK((together ? likeness > 0.8 : likeness < 0.2));
    }
  }
}

TEST_CASE("learn: tokens of one topic share more codes") {
  const TokenVectors vectors = learn(topic_lines(400), {.dimensions = kTopics}).vectors;
  const std::vector<uint32_t> codes = emde_codes(fit_emde(vectors, {}), vectors);
  const auto shared = [&](size_t a, size_t b) {
    size_t count = 0;
    for (size_t d = 0; d < 20; ++d) count += codes[a * 20 + d] == codes[b * 20 + d] ? 1 : 0;
    return count;
  };
  size_t within = 0;
  size_t across = 0;
  for (size_t word = 1; word < kTopicTokens; ++word) {
    within += shared(0, word);
    across += shared(0, kTopicTokens + word);
  }
  CHECK(within > 4 * across);
}

TEST_CASE("learn: a tweet counts once, however many readers saw it") {
  const std::vector<std::string> lines = topic_lines(200);
  std::vector<std::string> shown_often;
  for (size_t line = 0; line < lines.size(); ++line) {
    shown_often.push_back(lines[line]);
    for (size_t again = 0; again < line % 4; ++again) shown_often.push_back(lines[line / 2]);
  }
  const Learned once = learn(lines);
  const Learned often = learn(shown_often);
  CHECK(often.report.rows == shown_often.size());
  CHECK(often.report.tweets == 200);
  CHECK(often.vectors.ids == once.vectors.ids);
  CHECK(often.vectors.values == once.vectors.values);
}

TEST_CASE("learn: the same rows and seed give the same vectors") {
  const std::vector<std::string> lines = topic_lines(200);
  CHECK(learn(lines).vectors.values == learn(lines).vectors.values);
  CHECK(learn(lines, {.memory_bytes = kMinLearnMemory}).vectors.values == learn(lines).vectors.values);
}

TEST_CASE("learn: rows without text, and text that is too rare, give no vectors") {
  std::vector<std::string> lines;
  for (int tweet = 0; tweet < 5; ++tweet) lines.push_back(line_of(row_of({}, "T" + std::to_string(tweet))));
  Learned learned = learn(lines);
  CHECK(learned.vectors.tokens() == 0);
  CHECK(learned.report.rows == 5);
  CHECK(learned.report.rows_with_text == 0);
  lines.push_back(line_of(row_of({7, 8, 9}, "U")));
  learned = learn(lines);
  CHECK(learned.vectors.tokens() == 0);
  CHECK(learned.report.distinct_tokens == 3);
  // A token that is alone in its tweets has no company to be known by.
  CHECK(learn({line_of(row_of({7}, "U"))}, {.min_count = 1}).vectors.tokens() == 0);
  CHECK(learn({line_of(row_of({7, 7}, "U"))}, {.min_count = 1}).vectors.tokens() == 0);
}

TEST_CASE("learn: options out of range are refused") {
  const std::vector<std::string> lines = topic_lines(5);
  CHECK(error_of([&] { learn(lines, {.dimensions = 0}); }) == "codebook: expected 1 to 1024 dimensions");
  CHECK(error_of([&] { learn(lines, {.shift = 0.5}); }) == "codebook: expected a shift of 1 to 1e6");
  CHECK(error_of([&] { learn(lines, {.shift = std::nan("")}); }) == "codebook: expected a shift of 1 to 1e6");
  CHECK(error_of([&] { learn(lines, {.memory_bytes = 1}); }) ==
        "codebook: expected at least 64 MiB of memory");
}

TEST_CASE("learn: more distinct tokens than there is room for are refused with their line") {
  std::vector<std::string> lines;
  for (uint32_t tweet = 0; tweet < 400; ++tweet) {
    std::vector<uint32_t> text(512);
    for (uint32_t word = 0; word < text.size(); ++word) text[word] = tweet * 512 + word;
    lines.push_back(line_of(row_of(std::move(text), "T" + std::to_string(tweet))));
  }
  const std::string message = error_of([&] { learn(lines, {.window = 1, .memory_bytes = kMinLearnMemory}); });
  CHECK(message.find("more than 43690 distinct tokens: expected fewer, or more memory") != std::string::npos);
  CHECK(message.find("line 86") != std::string::npos);
}

TEST_CASE("learn: progress is reported, and may interrupt") {
  std::set<std::string> stages;
  const TempDir dir;
  write_file(dir / "rows", join(topic_lines(50), '\n') + "\n");
  learn_token_vectors({dir / "rows"}, {}, [&](std::string_view stage, uint64_t, uint64_t, std::string_view) {
    stages.emplace(stage);
  });
  CHECK(stages == std::set<std::string>{"counting neighbours", "factorising"});
  const kinglet::ProgressFn interrupt = [](std::string_view stage, uint64_t, uint64_t, std::string_view) {
    if (stage == "factorising") throw kinglet::Interrupted();
  };
  CHECK(error_of([&] { learn_token_vectors({dir / "rows"}, {}, interrupt); }) == "interrupted");
}

TEST_CASE("co-occurrence: pairs within the window, by a plain count") {
  Random random(3);
  for (const uint32_t window : {1U, 2U, 5U, 600U}) {
    Cooccurrence counts(window, 1 << 20, 1 << 20);
    std::map<uint64_t, uint32_t> pairs;
    std::map<uint32_t, TokenCount> tokens;
    for (int tweet = 0; tweet < 20; ++tweet) {
      std::vector<uint32_t> text(random.below(30));
      for (uint32_t& token : text) token = static_cast<uint32_t>(random.below(9));
      const auto weight = static_cast<uint32_t>(1 + random.below(2));
      CHECK(counts.add(text, weight));
      for (size_t a = 0; a < text.size(); ++a) {
        tokens[text[a]].occurrences += weight;
        for (size_t b = 0; b < text.size(); ++b) {
          if (text[a] == text[b] || std::max(a, b) - std::min(a, b) > window) continue;
          tokens[text[a]].neighbours += weight;
          if (a < b) pairs[Cooccurrence::key(text[a], text[b])] += weight;
        }
      }
    }
    CHECK(counts.pairs().size() == pairs.size());
    counts.pairs().for_each([&](uint64_t key, uint32_t count) { CHECK(pairs.at(key) == count); });
    CHECK(counts.tokens().size() == tokens.size());
    for (const auto& [token, count] : tokens) {
      CHECK(counts.tokens().at(token).occurrences == count.occurrences);
      CHECK(counts.tokens().at(token).neighbours == count.neighbours);
    }
  }
}

TEST_CASE("co-occurrence: only so many tokens of a tweet are looked at") {
  Cooccurrence counts(1, 1 << 20, 1 << 20);
  std::vector<uint32_t> text(kMaxTweetTokens + 100, 1);
  text.back() = 2;
  CHECK(counts.add(text, 1));
  CHECK(counts.tokens().size() == 1);
  CHECK(counts.tokens().at(1).occurrences == kMaxTweetTokens);
}

TEST_CASE("pair counter: exact while there is room, and through every growth") {
  PairCounter counter(64 << 20);
  std::map<uint64_t, uint32_t> expected;
  Random random(5);
  for (int i = 0; i < 300'000; ++i) {
    const uint64_t key = random.below(150'000) * 0x1'0000'0001U;
    counter.add(key, 2);
    expected[key] += 2;
  }
  CHECK(counter.size() == expected.size());
  CHECK(counter.forgotten() == 0);
  size_t visited = 0;
  counter.for_each([&](uint64_t key, uint32_t count) {
    ++visited;
    REQUIRE(expected.at(key) == count);
  });
  CHECK(visited == expected.size());
}

TEST_CASE("pair counter: without room the rarest are forgotten, the frequent kept with what was counted") {
  PairCounter counter(24 * 1'000);  // 1,000 slots
  constexpr uint64_t kFrequent = 100;
  Random random(6);
  for (uint64_t round = 0; round < 200; ++round) {
    for (uint64_t key = 0; key < kFrequent; ++key) counter.add(key, 1);
    for (int rare = 0; rare < 50; ++rare) counter.add(1'000 + random.next() % (uint64_t{1} << 40), 1);
    REQUIRE(counter.size() <= 751);
  }
  CHECK(counter.forgotten() > 5'000);
  std::map<uint64_t, uint32_t> kept;
  counter.for_each([&](uint64_t key, uint32_t count) { kept[key] = count; });
  for (uint64_t key = 0; key < kFrequent; ++key) CHECK(kept[key] == 200);
}

TEST_CASE("pair counter: counts stop at their largest value; key 0 and equal counts are no special case") {
  PairCounter counter(1 << 10);
  counter.add(0, 4'294'967'290U);
  counter.add(0, 4);
  counter.add(0, 4);
  counter.for_each([](uint64_t key, uint32_t count) {
    CHECK(key == 0);
    CHECK(count == 4'294'967'295U);
  });
  PairCounter equal(24 * 16);
  for (uint64_t key = 0; key < 1'000; ++key) equal.add(key, 1);
  CHECK(equal.size() <= 13);
  CHECK(equal.size() + equal.forgotten() == 1'000);
}

TEST_CASE("tweet sample: each once; without room half of the tweets, for two each") {
  TweetSample roomy(1 << 20);
  for (int tweet = 0; tweet < 1'000; ++tweet) CHECK(roomy.take("T" + std::to_string(tweet)) == 1);
  for (int tweet = 0; tweet < 1'000; ++tweet) CHECK(roomy.take("T" + std::to_string(tweet)) == 0);

  TweetSample small(96 * 1'000);
  uint64_t stood_for = 0;
  std::set<std::string> taken;
  constexpr int kTweets = 50'000;
  for (int tweet = 0; tweet < kTweets; ++tweet) {
    const std::string id = "T" + std::to_string(tweet);
    const uint32_t weight = small.take(id);
    stood_for += weight;
    if (weight > 0) taken.insert(id);
  }
  CHECK(small.weight() >= 50);
  CHECK(std::abs(static_cast<double>(stood_for) / kTweets - 1) < 0.1);
  for (int tweet = 0; tweet < kTweets; ++tweet) CHECK(small.take("T" + std::to_string(tweet)) == 0);
}

TEST_CASE("PMI: by hand") {
  Cooccurrence counts(1, 1 << 20, 1 << 20);
  CHECK(counts.add(std::vector<uint32_t>{5, 6, 5, 7}, 1));  // 5-6 twice, 5-7 once
  CHECK(counts.add(std::vector<uint32_t>{8, 9}, 3));
  const std::vector<uint32_t> all = choose_vocabulary(counts, 1, 100);
  CHECK(all == std::vector<uint32_t>{5, 6, 7, 8, 9});
  // Neighbours: 3, 2, 1, 3, 3; 12 in all.
  const auto matrix = dense(positive_pmi(counts, all, 1));
  CHECK(matrix[0][1] == doctest::Approx(std::log(2 * 12 / (3.0 * 2))).epsilon(1e-6));
  CHECK(matrix[0][2] == doctest::Approx(std::log(1 * 12 / (3.0 * 1))).epsilon(1e-6));
  CHECK(matrix[3][4] == doctest::Approx(std::log(3 * 12 / (3.0 * 3))).epsilon(1e-6));
  CHECK(matrix[4][3] == matrix[3][4]);
  CHECK(matrix[1][2] == 0);
  const auto shifted = dense(positive_pmi(counts, all, 3));
  CHECK(shifted[0][1] == doctest::Approx(std::log(2 * 12 / (3.0 * 2)) - std::log(3)).epsilon(1e-6));
  CHECK(positive_pmi(counts, all, 5).entries.empty());
}

TEST_CASE("vocabulary: the most frequent tokens, ties to the lower id") {
  Cooccurrence counts(1, 1 << 20, 1 << 20);
  CHECK(counts.add(std::vector<uint32_t>{9, 3, 9, 4, 9, 3, 4, 7}, 1));
  CHECK(choose_vocabulary(counts, 2, 100) == std::vector<uint32_t>{3, 4, 9});
  CHECK(choose_vocabulary(counts, 1, 2) == std::vector<uint32_t>{3, 9});
  CHECK(choose_vocabulary(counts, 4, 100).empty());
}

TEST_CASE("factorise: a matrix of low rank is given back, with no more dimensions than it has") {
  constexpr size_t kSize = 40;
  constexpr size_t kRank = 3;
  Random random(11);
  std::vector<std::vector<double>> factors(kSize, std::vector<double>(kRank));
  for (auto& factor : factors) {
    for (double& value : factor) value = random.uniform(-1, 1);
  }
  std::vector<std::vector<double>> matrix(kSize, std::vector<double>(kSize));
  for (size_t a = 0; a < kSize; ++a) {
    for (size_t b = 0; b < kSize; ++b) {
      for (size_t r = 0; r < kRank; ++r) matrix[a][b] += factors[a][r] * factors[b][r];
    }
  }
  const RowVectors full = factorise(sparse(matrix), 64, 1, {});
  REQUIRE(full.dimensions >= kRank);  // floats in the matrix leave traces of more
  const RowVectors vectors = factorise(sparse(matrix), kRank, 1, {});
  REQUIRE(vectors.dimensions == kRank);
  for (size_t a = 0; a < kSize; ++a) {
    for (size_t b = 0; b < kSize; ++b) {
      double product = 0;
      for (size_t r = 0; r < kRank; ++r)
        product += double{vectors.values[a * kRank + r]} * vectors.values[b * kRank + r];
      CHECK(product == doctest::Approx(matrix[a][b]).epsilon(1e-5));
    }
  }
}

TEST_CASE("factorise: the largest of a known spectrum, negative ones by their magnitude") {
  // A ring of 200 neighbours and a heavy pair: eigenvalues +-9 of the pair, 2 cos(2 pi k / 200) of the ring.
  constexpr size_t kRing = 200;
  std::vector<std::vector<double>> matrix(kRing + 2, std::vector<double>(kRing + 2));
  for (size_t place = 0; place < kRing; ++place) {
    matrix[place][(place + 1) % kRing] = 1;
    matrix[(place + 1) % kRing][place] = 1;
  }
  matrix[kRing][kRing + 1] = matrix[kRing + 1][kRing] = 9;
  const RowVectors vectors = factorise(sparse(matrix), 2, 1, {});
  REQUIRE(vectors.dimensions == 2);
  // Power iterations leave a trace of the ring: (2 / 9)^6 of a random start.
  for (size_t place = 0; place < kRing; ++place) CHECK(std::abs(vectors.values[place * 2]) < 1e-3);
  // Both eigenvectors are (1, +-1) / sqrt(2), times sqrt(9).
  for (const size_t heavy : {kRing, kRing + 1}) {
    for (size_t d = 0; d < 2; ++d)
      CHECK(std::abs(vectors.values[heavy * 2 + d]) == doctest::Approx(3 / std::sqrt(2.0)).epsilon(1e-4));
  }
}

TEST_CASE("factorise: nothing gives nothing") {
  CHECK(factorise({}, 64, 1, {}).dimensions == 0);
  CHECK(factorise(sparse({{0, 0}, {0, 0}}), 64, 1, {}).dimensions == 0);
}
