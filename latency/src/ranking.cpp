#include "kinglet/latency/ranking.h"

#include <deque>

#include "kinglet/kinglet.h"

#include "machine.h"

namespace kinglet::latency {
namespace {

/// A request with memory of its own, and its tweet prepared.
struct Tweet {
  explicit Tweet(const Model& model) : prepared(model) {}

  Request request() const { return {tokens, numerics, flags, categories}; }

  std::vector<uint32_t> tokens;
  std::vector<double> numerics;
  uint64_t flags = 0;
  std::vector<uint32_t> categories;
  PreparedTweet prepared;
};

void require(Status status, const Model& model) {
  if (status != Status::ok) throw Error(model.file().path(), "", status_text(status));
}

std::vector<Tweet> read_tweets(const Model& model, const formats::HistoryFile& history,
                               const std::vector<std::string>& lines, Session& session) {
  formats::RowParser parser;
  std::vector<Tweet> tweets;
  for (const std::string& line : lines) {
    Row row;
    parser.parse(line, row);
    Request request;
    require(session.request(row, history, request), model);
    Tweet& tweet = tweets.emplace_back(model);
    tweet.tokens.assign(request.tokens.begin(), request.tokens.end());
    tweet.numerics.assign(request.numerics.begin(), request.numerics.end());
    tweet.flags = request.flags;
    tweet.categories.assign(request.categories.begin(), request.categories.end());
  }
  return tweets;
}

/// Tweets that are ranked for one reader.
class Group {
 public:
  Group(std::span<Tweet> tweets, Session& session)
      : tweets_(tweets), session_(session), reader_(session.model()), scores_(tweets.size()) {
    require(session.prepare(tweets.front().request(), reader_), session.model());
    for (Tweet& tweet : tweets) candidates_.push_back({&tweet.prepared, &reader_, tweet.request()});
  }

  void prepare(std::vector<double>& times) {
    for (Tweet& tweet : tweets_) {
      const auto start = Clock::now();
      require(session_.prepare(tweet.request(), tweet.prepared), session_.model());
      times.push_back(microseconds(Clock::now() - start));
    }
  }

  void rank(std::vector<double>& times) {
    const auto start = Clock::now();
    require(session_.score(candidates_, scores_), session_.model());
    times.push_back(microseconds(Clock::now() - start) / static_cast<double>(candidates_.size()));
  }

  void score_alone(std::vector<double>& times) {
    for (size_t i = 0; i < candidates_.size(); ++i) {
      const auto start = Clock::now();
      require(session_.score(std::span(candidates_).subspan(i, 1), scores_), session_.model());
      times.push_back(microseconds(Clock::now() - start));
    }
  }

 private:
  std::span<Tweet> tweets_;
  Session& session_;
  PreparedReader reader_;
  std::vector<Candidate> candidates_;
  std::vector<Scores> scores_;
};

}  // namespace

Ranking measure_ranking(const std::filesystem::path& model_path, const std::filesystem::path& history_path,
                        const std::vector<std::string>& lines, size_t batch, const Options& options,
                        const ProgressFn& progress) {
  if (batch == 0 || lines.size() < batch) {
    throw Error("--rank", "",
                "expected 1 to " + std::to_string(lines.size()) + " tweets, as many as there are rows");
  }
  const Model model = Model::open(model_path, {.isa = options.isa, .huge_pages = options.huge_pages});
  const formats::HistoryFile history(history_path);
  Session session(model, batch);
  std::vector<Tweet> tweets = read_tweets(model, history, lines, session);
  std::vector<double> prepare;
  std::vector<double> candidate;
  std::vector<double> pair;
  std::deque<Group> groups;  // candidates point to their group's reader
  for (size_t begin = 0; begin + batch <= tweets.size(); begin += batch)
    groups.emplace_back(std::span(tweets).subspan(begin, batch), session);
  for (size_t round = 0; round < options.rounds; ++round) {
    for (Group& group : groups) group.prepare(prepare);
    for (Group& group : groups) group.rank(candidate);
    for (Group& group : groups) group.score_alone(pair);
    if (progress) progress("ranking", round + 1, options.rounds, "rounds");
  }
  return {batch, quantiles_of(candidate), quantiles_of(pair), quantiles_of(prepare)};
}

}  // namespace kinglet::latency
