// Prepared tweets and readers give the bits of whole requests.
#include <bit>
#include <vector>

#include "kinglet/session.h"

#include "support/random.h"
#include "support/small_world.h"

using kinglet::Candidate;
using kinglet::Model;
using kinglet::PreparedReader;
using kinglet::PreparedTweet;
using kinglet::Request;
using kinglet::Scores;
using kinglet::Session;
using kinglet::Status;
using kinglet::converter::Precision;
using kinglet::test::Random;

namespace {

struct StoredRequest {
  std::vector<uint32_t> tokens;
  std::vector<double> numerics;
  uint64_t flags;
  std::vector<uint32_t> categories;

  Request request() const { return {tokens, numerics, flags, categories}; }
};

StoredRequest random_request(const Model& model, Random& random) {
  StoredRequest stored;
  for (uint64_t t = random.below(40); t > 0; --t)
    stored.tokens.push_back(static_cast<uint32_t>(random.below(600)));
  for (size_t i = 0; i < model.numeric_count(); ++i) {
    const uint64_t limit = random.below(4) == 0 ? 100'000 : 3;
    stored.numerics.push_back(static_cast<double>(random.below(limit)));
  }
  stored.flags = random.below(4'096);
  for (size_t c = 0; c < model.category_count(); ++c)
    stored.categories.push_back(static_cast<uint32_t>(random.below(model.categories(c))));
  return stored;
}

kinglet::fbs::Scope scope_of(const Model& model, size_t numeric) {
  return model.file().header().layout()->numerics()->Get(static_cast<unsigned>(numeric))->scope();
}

/// The request of one tweet and one reader: each feature from whose it is.
StoredRequest put_together(const Model& model, const StoredRequest& tweet, const StoredRequest& reader,
                           const StoredRequest& pair) {
  using kinglet::fbs::Scope;
  const auto pick = [&](Scope scope) -> const StoredRequest& {
    return scope == Scope::tweet ? tweet : scope == Scope::reader ? reader : pair;
  };
  StoredRequest whole = tweet;
  for (size_t i = 0; i < whole.numerics.size(); ++i) whole.numerics[i] = pick(scope_of(model, i)).numerics[i];
  whole.flags = 0;
  const auto& flags = *model.file().header().layout()->flags();
  for (unsigned i = 0; i < flags.size(); ++i)
    whole.flags |= pick(flags.Get(i)->scope()).flags & uint64_t{1} << i;
  return whole;
}

void check_same(const Scores& a, const Scores& b) {
  for (size_t i = 0; i < kinglet::kTargets; ++i) {
    CHECK(std::bit_cast<uint32_t>(a.logits[i]) == std::bit_cast<uint32_t>(b.logits[i]));
    CHECK(std::bit_cast<uint32_t>(a.probabilities[i]) == std::bit_cast<uint32_t>(b.probabilities[i]));
  }
}

enum class Kind { dense, skeleton };

/// `kind` skeleton: in 8 bits.
Model small_model(const kinglet::test::TempDir& dir, Precision precision, uint32_t hidden,
                  Kind kind = Kind::dense) {
  kinglet::synthetic::NetworkOptions network;
  network.hidden = hidden;
  network.depth = 5;
  network.width = 64;
  if (kind == Kind::skeleton) {
    const kinglet::test::SmallWorld world(dir, 80);
    return Model::open(kinglet::test::write_skeleton_model(dir, world, network, 500));
  }
  return Model::open(kinglet::test::write_model(dir, network, 500, precision));
}

}  // namespace

TEST_CASE("candidates have the bits of whole requests, whatever the batch and the instruction set") {
  const std::pair<Precision, Kind> models[] = {
      {Precision::fp32, Kind::dense}, {Precision::int8, Kind::dense}, {Precision::int8, Kind::skeleton}};
  for (const auto& [precision, kind] : models) {
    for (const uint32_t hidden : {33U, 300U}) {
      const kinglet::test::TempDir dir;
      const Model model = small_model(dir, precision, hidden, kind);
      Random random(77);
      std::vector<StoredRequest> tweets;
      std::vector<StoredRequest> readers;
      for (int i = 0; i < 5; ++i) tweets.push_back(random_request(model, random));
      for (int i = 0; i < 3; ++i) readers.push_back(random_request(model, random));
      for (const size_t batch : {1U, 2U, 4U, 7U, 64U}) {
        Session session(model, batch);
        std::vector<PreparedTweet> prepared_tweets;
        std::vector<PreparedReader> prepared_readers;
        for (const StoredRequest& tweet : tweets) {
          prepared_tweets.emplace_back(model);
          REQUIRE(session.prepare(tweet.request(), prepared_tweets.back()) == Status::ok);
        }
        for (const StoredRequest& reader : readers) {
          prepared_readers.emplace_back(model);
          REQUIRE(session.prepare(reader.request(), prepared_readers.back()) == Status::ok);
        }
        std::vector<StoredRequest> pairs;
        std::vector<StoredRequest> whole;
        for (size_t i = 0; i < tweets.size() * readers.size(); ++i) {
          pairs.push_back(random_request(model, random));
          whole.push_back(
              put_together(model, tweets[i % tweets.size()], readers[i / tweets.size()], pairs[i]));
        }
        std::vector<Candidate> candidates;
        for (size_t i = 0; i < pairs.size(); ++i) {
          candidates.push_back({&prepared_tweets[i % tweets.size()], &prepared_readers[i / tweets.size()],
                                pairs[i].request()});
        }
        std::vector<Scores> scores(candidates.size());
        REQUIRE(session.score(candidates, scores) == Status::ok);
        for (size_t i = 0; i < whole.size(); ++i) {
          Scores expected;
          REQUIRE(session.score(whole[i].request(), expected) == Status::ok);
          check_same(scores[i], expected);
        }
      }
    }
  }
}

TEST_CASE("candidates that are not prepared, or for another model, are refused before they are scored") {
  const kinglet::test::TempDir dir;
  const kinglet::test::TempDir other_dir;
  const Model model = small_model(dir, Precision::fp32, 5);
  const Model other = small_model(other_dir, Precision::fp32, 5);
  Random random(78);
  const StoredRequest request = random_request(model, random);
  Session session(model, 4);
  PreparedTweet tweet(model);
  PreparedReader reader(model);
  std::vector<Scores> scores(2);
  scores[1].logits[0] = 123;
  CHECK(session.score(std::vector<Candidate>{{&tweet, &reader, request.request()}}, scores) ==
        Status::not_prepared);
  REQUIRE(session.prepare(request.request(), tweet) == Status::ok);
  CHECK(session.score(std::vector<Candidate>{{&tweet, &reader, request.request()}}, scores) ==
        Status::not_prepared);
  REQUIRE(session.prepare(request.request(), reader) == Status::ok);
  CHECK(session.score(std::vector<Candidate>{{&tweet, &reader, request.request()}}, scores) == Status::ok);
  CHECK(session.score(std::vector<Candidate>{{nullptr, &reader, request.request()}}, scores) ==
        Status::not_prepared);
  CHECK(session.score(std::vector<Candidate>{{&tweet, nullptr, request.request()}}, scores) ==
        Status::not_prepared);
  CHECK(session.score(std::vector<Candidate>(3, {&tweet, &reader, request.request()}), scores) ==
        Status::too_few_scores);
  PreparedTweet foreign(other);
  CHECK(session.prepare(request.request(), foreign) == Status::not_prepared);
  StoredRequest bad = request;
  bad.numerics.pop_back();
  CHECK(session.prepare(bad.request(), tweet) == Status::wrong_numeric_count);
  CHECK(session.score(std::vector<Candidate>{{&tweet, &reader, bad.request()}}, scores) ==
        Status::wrong_numeric_count);
  // A good candidate before a refused one is not scored either.
  scores[0].logits[0] = 123;
  const std::vector<Candidate> good_and_bad = {{&tweet, &reader, request.request()},
                                               {&tweet, &reader, bad.request()}};
  CHECK(session.score(good_and_bad, scores) == Status::wrong_numeric_count);
  CHECK(scores[0].logits[0] == 123);
  CHECK(scores[1].logits[0] == 123);
  // What preparing reads is not added to what was read before.
  REQUIRE(session.prepare(request.request(), reader) == Status::ok);
  const uint64_t bytes = session.bytes_read().total();
  REQUIRE(session.prepare(request.request(), reader) == Status::ok);
  CHECK(session.bytes_read().total() == bytes);
}
