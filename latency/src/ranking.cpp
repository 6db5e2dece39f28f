#include "kinglet/latency/ranking.h"

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

/// Ranks one group and takes its times.
class Group {
 public:
  Group(std::span<Tweet> tweets, Session& session)
      : tweets_(tweets), session_(session), reader_(session.model()), scores_(tweets.size()) {
    require(session.prepare(tweets.front().request(), reader_), session.model());
    for (Tweet& tweet : tweets) candidates_.push_back({&tweet.prepared, &reader_, tweet.request()});
  }

  void rank(std::vector<double>& prepare, std::vector<double>& candidate, std::vector<double>& pair) {
    for (Tweet& tweet : tweets_) {
      const auto start = Clock::now();
      require(session_.prepare(tweet.request(), tweet.prepared), session_.model());
      prepare.push_back(microseconds(Clock::now() - start));
    }
    const auto start = Clock::now();
    require(session_.score(candidates_, scores_), session_.model());
    candidate.push_back(microseconds(Clock::now() - start) / static_cast<double>(candidates_.size()));
    for (size_t i = 0; i < candidates_.size(); ++i) {
      const auto alone = Clock::now();
      require(session_.score(std::span(candidates_).subspan(i, 1), scores_), session_.model());
      pair.push_back(microseconds(Clock::now() - alone));
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
  for (size_t round = 0; round < options.rounds; ++round) {
    for (size_t begin = 0; begin + batch <= tweets.size(); begin += batch) {
      Group(std::span(tweets).subspan(begin, batch), session).rank(prepare, candidate, pair);
    }
    if (progress) progress("ranking", round + 1, options.rounds, "rounds");
  }
  return {batch, quantiles_of(candidate), quantiles_of(pair), quantiles_of(prepare)};
}

}  // namespace kinglet::latency
