#include "kinglet/simulate/world.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "kinglet/formats/error.h"

#include "src/accounts.h"
#include "src/calendar.h"
#include "src/reactions.h"
#include "src/row_text.h"
#include "src/tweets.h"

namespace kinglet::simulate {
namespace {

constexpr uint64_t kMostUsers = uint64_t{1} << 31;  // products of two numbers of users fit 64 bits
constexpr uint32_t kMostDays = 3'660;
constexpr uint32_t kLeastVocabulary = 2'000;
constexpr uint32_t kMostLanguages = 10'000;
constexpr size_t kSampleRows = 60'000;
constexpr uint64_t kSampleTweets = uint64_t{1} << 48;  // numbers that no tweet of the rows has

void require(bool holds, std::string_view message) {
  if (!holds) throw Error(fmt::format("a world needs {}", message));
}

WorldOptions completed(WorldOptions options) {
  require(options.rows > 0 && options.rows <= 1'000'000'000'000, "1 to 10^12 rows");
  require(options.valid_days < options.days && options.days <= kMostDays,
          fmt::format("at most {} days, more than those for validation", kMostDays));
  require(options.vocabulary >= kLeastVocabulary && options.vocabulary <= RowLimits::token_id,
          fmt::format("a vocabulary of {} to {} tokens", kLeastVocabulary, RowLimits::token_id));
  require(options.languages > 0 && options.languages <= kMostLanguages,
          fmt::format("1 to {} languages", kMostLanguages));
  require(options.start >= 0 && options.start % kDay == 0 &&
              options.start <= RowLimits::timestamp - (int64_t{options.days} + 1) * kDay,
          "a start at midnight, UTC, before the year 9999");
  if (options.readers == 0) options.readers = std::clamp<uint64_t>(options.rows / 20, 1'000, kMostUsers);
  if (options.authors == 0)
    options.authors = std::min(std::max<uint64_t>(options.rows / 50, 400), options.readers);
  require(options.readers <= kMostUsers, fmt::format("at most {} readers", kMostUsers));
  options.readers = Accounts::whole_communities(options.readers);
  require(options.authors <= options.readers, "no more authors than readers");
  return options;
}

}  // namespace

/// Whom a tweet is shown to, and what they make of it.
struct World::State {
  explicit State(const WorldOptions& given)
      : options(completed(given)),
        calendar(options.start, options.days),
        accounts(options.seed, options.readers, options.authors),
        tweets(options.seed, accounts, options.readers, options.languages, options.vocabulary),
        reactions(options.seed, tweets, options.languages),
        text(options.seed),
        valid_start(options.start + (options.days - options.valid_days) * kDay) {
    seen_by.reserve(kMostShown);
    reactions.set_base_rates(sample());
  }

  void begin_tweet(uint64_t number, int64_t time) {
    tweet = tweets.write(number, time, calendar.day(time));
    of_tweet = reactions.of_tweet(tweet);
    draws = Draws(options.seed, Purpose::exposures, number);
    seen_by.clear();
  }

  /// The tweet's next reader, someone who was not shown it yet.
  Account next_reader() {
    uint64_t user = accounts.draw_reader(tweet.author, draws);
    while (std::find(seen_by.begin(), seen_by.end(), user) != seen_by.end()) {
      // Those near the author run out: from now on anyone may be next.
      user = draws.below(options.readers);
      if (user == tweet.author.user) user = seen_by.front();
    }
    seen_by.push_back(user);
    return accounts.account(user);
  }

  std::vector<Logits> sample() {
    std::vector<Logits> logits;
    logits.reserve(kSampleRows);
    Draws times(options.seed, Purpose::calibration, 0);
    for (uint64_t number = 0; logits.size() < kSampleRows; ++number) {
      begin_tweet(kSampleTweets + number, calendar.time(times.below(kSampleRows), kSampleRows));
      for (uint32_t i = 0; i < tweet.shown && logits.size() < kSampleRows; ++i) {
        const Account reader = next_reader();
        logits.push_back(reactions.of_row(of_tweet, tweet, reader, accounts.follows(tweet.author, reader)));
      }
    }
    return logits;
  }

  /// When each reaction happened: soon after the tweet was shown, at the latest at the end of its part of the
  /// days, so that no row of one part bears a time of the next.
  std::array<int64_t, kReactions> react(SimulatedRow& row) {
    const int64_t end = row.split == Split::train ? valid_start : options.start + options.days * kDay;
    const double wait = draws.uniform();
    const int64_t shown_at = tweet.time + static_cast<int64_t>(12 * kHour * (wait * wait * wait * wait));
    std::array<int64_t, kReactions> timestamps{};
    for (size_t r = 0; r < kReactions; ++r) {
      row.reacted[r] = draws.chance(static_cast<double>(row.probabilities[r]));
      const int64_t delay = draws.between(1, 1 + draws.between(5, 1'200));
      if (row.reacted[r]) timestamps[r] = std::min(shown_at + delay, end - 1);
    }
    return timestamps;
  }

  WorldOptions options;
  Calendar calendar;
  Accounts accounts;
  Tweets tweets;
  Reactions reactions;
  RowText text;
  int64_t valid_start;

  uint64_t rows_done = 0;
  uint64_t tweets_done = 0;
  Tweet tweet;  // being shown
  Logits of_tweet{};
  Draws draws{0};
  std::vector<uint64_t> seen_by;
  std::string head;  // the tweet's fields
  std::string line, truth;
};

World::World(const WorldOptions& options) : state_(std::make_unique<State>(options)) {
  state_->tweet.shown = 0;
  state_->seen_by.clear();
}
World::World(World&&) noexcept = default;
World& World::operator=(World&&) noexcept = default;
World::~World() = default;

const WorldOptions& World::options() const noexcept {
  return state_->options;
}

bool World::next(SimulatedRow& row) {
  State& state = *state_;
  if (state.rows_done == state.options.rows) return false;
  if (state.seen_by.size() == state.tweet.shown) {
    state.begin_tweet(state.tweets_done++, state.calendar.time(state.rows_done, state.options.rows));
    state.head.clear();
    state.text.append_tweet(state.tweet, state.head);
  }
  const Account reader = state.next_reader();
  const bool follows = state.accounts.follows(state.tweet.author, reader);
  row.split = state.tweet.time < state.valid_start ? Split::train : Split::valid;
  row.probabilities =
      state.reactions.probabilities(state.reactions.of_row(state.of_tweet, state.tweet, reader, follows));
  const std::array<int64_t, kReactions> timestamps = state.react(row);

  state.line.assign(state.head);
  state.text.append_reader(reader, state.tweet.day, follows, timestamps, state.line);
  state.truth.clear();
  state.text.append_truth(state.tweet, reader, row.probabilities, state.truth);
  row.line = state.line;
  row.truth = state.truth;
  ++state.rows_done;
  return true;
}

}  // namespace kinglet::simulate
