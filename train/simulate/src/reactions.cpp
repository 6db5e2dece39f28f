#include "src/reactions.h"

#include <algorithm>

#include "kinglet/features/elementary.h"

namespace kinglet::simulate {
namespace {

// In all arrays: like, reply, retweet, quote.

constexpr Logits kStyleEffects[kStyles] = {
    {0.0, 0.0, 0.0, 0.0},      // plain
    {-0.2, 1.4, -0.3, 0.4},    // question
    {0.1, -0.2, 1.3, 0.2},     // call to share
    {0.7, 0.2, 0.5, 0.2},      // joke
    {-0.2, 0.8, 0.3, 1.3},     // rant
    {-1.1, -0.9, -0.8, -0.9},  // advert
    {-0.3, 0.0, 0.7, 0.7},     // news
    {0.6, 0.6, -1.0, -0.8},    // greeting
};

constexpr Logits kFollows{0.45, 0.75, 0.35, 0.30};
constexpr Logits kOtherLanguage{-0.6, -1.0, -0.5, -0.6};
constexpr Logits kRetweetType{-0.35, -0.7, 0.35, 0.1};
constexpr Logits kQuoteType{0.1, 0.2, -0.2, 0.3};
constexpr Logits kPhoto{0.35, -0.1, 0.2, 0.1};
constexpr Logits kVideo{0.1, 0.0, 0.4, 0.3};
constexpr Logits kGif{0.2, 0.3, -0.2, -0.1};
constexpr Logits kLink{-0.35, -0.2, 0.15, 0.2};
constexpr Logits kHashtag{-0.1, -0.15, 0.1, 0.0};       // each
constexpr Logits kLength{0.05, 0.15, -0.05, 0.10};      // a dozen tokens more
constexpr Logits kProminence{0.10, -0.20, 0.12, 0.15};  // e times as many followers of the author
constexpr Logits kVerifiedAuthor{0.15, 0.35, 0.2, 0.5};
constexpr Logits kReaderFame{-0.15, 0.10, -0.2, 0.05};   // e times as many followers of the reader
constexpr Logits kReaderCurious{0.20, 0.05, 0.15, 0.0};  // e times as many followed by the reader
constexpr Logits kVerifiedReader{-0.3, 0.4, -0.6, 0.3};
constexpr Logits kYoungAccount{0.12, 0.10, 0.20, 0.15};  // a generation younger

// Standard deviations of what a hash decides: shared by the four reactions, and each reaction's own.
constexpr double kAppetite = 0.75;
constexpr Logits kOwnAppetite{0.40, 0.45, 0.50, 0.50};
constexpr double kAppeal = 0.30;
constexpr Logits kOwnAppeal{0.35, 0.45, 0.45, 0.45};
constexpr double kPairAffinity = 0.30;
constexpr double kCommunityAffinity = 0.30;  // of a reader for all authors of a community
constexpr double kReaderTaste = 0.25;        // of a reader for a topic
constexpr double kCommunityTaste = 0.35;     // of the reader's community for a topic
constexpr double kQuality = 0.35;
constexpr double kTopicOfDay = 0.20;

constexpr double kMeanLogFollowers = 4.6;
constexpr double kMeanLogFollowing = 5.3;

void add(Logits& sum, const Logits& term, double times = 1) noexcept {
  for (size_t r = 0; r < kReactions; ++r) sum[r] += times * term[r];
}

void add_to_all(Logits& sum, double term) noexcept {
  for (double& logit : sum) logit += term;
}

/// Each reaction's own draw, from one stream.
void add_own(Logits& sum, Draws& draws, const Logits& deviations) noexcept {
  for (size_t r = 0; r < kReactions; ++r) sum[r] += deviations[r] * draws.normal();
}

double mean_probability(const std::vector<Logits>& sample, size_t reaction, double bias) noexcept {
  double sum = 0;
  for (const Logits& logits : sample) sum += 1 / (1 + features::exponential(-(logits[reaction] + bias)));
  return sum / static_cast<double>(sample.size());
}

}  // namespace

Reactions::Reactions(uint64_t seed, const Tweets& tweets, uint32_t languages)
    : seed_(seed),
      tweets_(&tweets),
      topics_(table(Purpose::topic_appeal, kTopics, 0.35)),
      subtopics_(table(Purpose::subtopic_appeal, kTopics * kSubtopics, 0.35)),
      styles_in_topics_(table(Purpose::style_in_topic, kTopics * kStyles, 0.40)),
      style_pairs_(table(Purpose::style_pair, kStyles * kStyles, 0.60)),
      generations_(table(Purpose::generation_taste, kTopics * kGenerations, 0.30)),
      languages_(table(Purpose::language_appeal, languages, 0.25)),
      hours_(24) {
  // Each reaction has its peak at an hour of its own.
  for (size_t r = 0; r < kReactions; ++r) {
    const uint64_t peak = key(seed_, Purpose::daily_rhythm, r) % 24;
    for (uint64_t hour = 0; hour < 24; ++hour) {
      const double turn = static_cast<double>((hour + 24 - peak) % 24) / 24;
      hours_[hour][r] = 0.25 * features::sin_cos(turn * 6.283185307179586).cos;
    }
  }
}

Reactions::Table Reactions::table(Purpose purpose, size_t entries, double deviation) const {
  Table table(entries);
  for (size_t i = 0; i < entries; ++i) {
    for (size_t r = 0; r < kReactions; ++r) table[i][r] = deviation * normal(seed_, purpose, i, r);
  }
  return table;
}

Logits Reactions::of_tweet(const Tweet& tweet) const noexcept {
  const Account& author = tweet.author;
  const auto style = static_cast<size_t>(tweet.style);
  const auto second = static_cast<size_t>(tweet.second_style);
  Logits sum{};
  Draws appeal(seed_, Purpose::author_appeal, author.user);
  add_to_all(sum, kQuality * tweet.quality + kAppeal * appeal.normal() +
                      kTopicOfDay * normal(seed_, Purpose::topic_of_day, tweet.topic, tweet.day));
  add_own(sum, appeal, kOwnAppeal);

  add(sum, topics_[tweet.topic]);
  add(sum, subtopics_[tweet.subtopic]);
  add(sum, kStyleEffects[style]);
  add(sum, kStyleEffects[second], 0.5);
  if (style != 0) add(sum, styles_in_topics_[tweet.topic * kStyles + style]);
  if (style != 0 && second != 0) add(sum, style_pairs_[style * kStyles + second]);

  if (tweet.type == TweetType::retweet) add(sum, kRetweetType);
  if (tweet.type == TweetType::quote) add(sum, kQuoteType);
  if (tweet.photos > 0) add(sum, kPhoto);
  if (tweet.video) add(sum, kVideo);
  if (tweet.gif) add(sum, kGif);
  if (tweet.link) add(sum, kLink);
  add(sum, kHashtag, tweet.hashtag_count);
  add(sum, kLength, (static_cast<double>(tweet.token_count) - 30) / 12);
  add(sum, languages_[tweet.language]);
  add(sum, hours_[static_cast<size_t>(tweet.time / kHour % 24)]);

  add(sum, kProminence, author.log_followers - kMeanLogFollowers);
  if (author.verified) add(sum, kVerifiedAuthor);
  return sum;
}

Logits Reactions::of_row(const Logits& of_tweet, const Tweet& tweet, const Account& reader,
                         bool follows) const noexcept {
  const Account& author = tweet.author;
  Logits sum = of_tweet;
  Draws appetite(seed_, Purpose::reader_appetite, reader.user);
  // Affinity between two users goes both ways.
  const uint64_t first = std::min(author.user, reader.user);
  const uint64_t second = std::max(author.user, reader.user);
  add_to_all(
      sum,
      kAppetite * appetite.normal() + kPairAffinity * normal(seed_, Purpose::pair_affinity, first, second) +
          kCommunityAffinity * normal(seed_, Purpose::community_affinity, author.community, reader.user) +
          kReaderTaste * normal(seed_, Purpose::reader_taste, reader.user, tweet.topic) +
          kCommunityTaste * normal(seed_, Purpose::community_taste, reader.community, tweet.topic));
  add_own(sum, appetite, kOwnAppetite);
  if (follows) add(sum, kFollows);
  if (tweets_->language_of(reader.community) != tweet.language) add(sum, kOtherLanguage);

  add(sum, kReaderFame, reader.log_followers - kMeanLogFollowers);
  add(sum, kReaderCurious, reader.log_following - kMeanLogFollowing);
  if (reader.verified) add(sum, kVerifiedReader);
  add(sum, kYoungAccount, reader.generation);
  add(sum, generations_[tweet.topic * kGenerations + reader.generation]);
  return sum;
}

void Reactions::set_base_rates(const std::vector<Logits>& sample) noexcept {
  for (size_t r = 0; r < kReactions; ++r) {
    double low = -30;
    double high = 30;
    for (int step = 0; step < 36; ++step) {
      const double middle = 0.5 * (low + high);
      (mean_probability(sample, r, middle) < kBaseRates[r] ? low : high) = middle;
    }
    bias_[r] = low;
  }
}

std::array<float, kReactions> Reactions::probabilities(const Logits& of_row) const noexcept {
  std::array<float, kReactions> probabilities{};
  for (size_t r = 0; r < kReactions; ++r) {
    probabilities[r] = features::sigmoid(static_cast<float>(of_row[r] + bias_[r]));
  }
  return probabilities;
}

}  // namespace kinglet::simulate
