#include "src/tweets.h"

#include <algorithm>
#include <utility>

namespace kinglet::simulate {
namespace {

constexpr uint32_t kCls = 101;
constexpr uint32_t kSep = 102;
constexpr uint32_t kFirstWord = 1'000;
constexpr uint32_t kFamilies = 6;  // of languages; the largest language is one by itself
constexpr uint64_t kHashtagsPerTopic = 40;
constexpr uint32_t kDomains = 200;

constexpr double kStyleShares[kStyles] = {0.40, 0.12, 0.08, 0.10, 0.08, 0.10, 0.07, 0.05};

Style draw_style(Draws& draws) noexcept {
  double left = draws.uniform();
  for (uint32_t style = 0; style + 1 < kStyles; ++style) {
    if (left < kStyleShares[style]) return static_cast<Style>(style);
    left -= kStyleShares[style];
  }
  return static_cast<Style>(kStyles - 1);
}

}  // namespace

Tweets::Tweets(uint64_t seed, const Accounts& accounts, uint64_t readers, uint32_t languages,
               uint32_t vocabulary) noexcept
    : seed_(seed),
      accounts_(&accounts),
      vocabulary_(vocabulary),
      most_shown_(static_cast<uint32_t>(std::min<uint64_t>(kMostShown, readers / 4))),
      by_language_(languages, 0.6),
      by_common_word_(400, 8),
      by_topic_word_(60, 5),
      by_subtopic_word_(15, 3),
      by_marker_(24, 6),
      by_hashtag_(kHashtagsPerTopic, 2),
      by_subtopic_(kSubtopics, 2) {}

uint32_t Tweets::language_of(uint64_t community) const noexcept {
  Draws draws(seed_, Purpose::community, community, 0);
  return static_cast<uint32_t>(by_language_.draw(draws));
}

uint32_t Tweets::main_topic_of(uint64_t community) const noexcept {
  return static_cast<uint32_t>(key(seed_, Purpose::community, community, 1) % kTopics);
}

Tweet Tweets::write(uint64_t number, int64_t time, uint32_t day) const noexcept {
  Draws draws(seed_, Purpose::tweet, number);
  Tweet tweet;
  tweet.number = number;
  tweet.time = time;
  tweet.day = day;
  tweet.author = accounts_->account(accounts_->draw_author(draws));
  tweet.language = draws.chance(0.94) ? language_of(tweet.author.community) : 0;
  tweet.quality = draws.normal();
  // 1 / u has no mean: the cut gives it one, about 4 readers a tweet.
  const double crowd = 0.75 * (1 / (1 - draws.uniform()) - 1);
  tweet.shown = std::min(1 + static_cast<uint32_t>(std::min(crowd, 1e6)), most_shown_);
  choose_topic(draws, tweet);
  choose_style(draws, tweet);
  choose_form(draws, tweet);
  choose_hashtags(draws, tweet);
  choose_words(draws, tweet);
  return tweet;
}

void Tweets::choose_topic(Draws& draws, Tweet& tweet) const noexcept {
  const double which = draws.uniform();
  const uint64_t own = key(seed_, Purpose::author_appeal, tweet.author.user, 99);
  if (which < 0.50) {
    tweet.topic = main_topic_of(tweet.author.community);
  } else if (which < 0.78) {
    tweet.topic = static_cast<uint32_t>(own % kTopics);
  } else if (which < 0.88) {
    tweet.topic = static_cast<uint32_t>(key(seed_, Purpose::hot_topic, tweet.day) % kTopics);
  } else {
    tweet.topic = draws.below(kTopics);
  }
  tweet.subtopic = tweet.topic * kSubtopics + static_cast<uint32_t>(by_subtopic_.draw(draws));
}

void Tweets::choose_style(Draws& draws, Tweet& tweet) const noexcept {
  if (draws.chance(0.3)) {  // the author's habit
    Draws habit(seed_, Purpose::author_appeal, tweet.author.user, 98);
    tweet.style = draw_style(habit);
  } else {
    tweet.style = draw_style(draws);
  }
  if (draws.chance(0.25)) tweet.second_style = draw_style(draws);
}

void Tweets::choose_form(Draws& draws, Tweet& tweet) const noexcept {
  const double type = draws.uniform();
  tweet.type = type < 0.62 ? TweetType::top_level : type < 0.92 ? TweetType::retweet : TweetType::quote;
  const double media = draws.uniform();
  if (media < 0.22) tweet.photos = 1 + (draws.chance(0.25) ? draws.below(4) : 0);
  tweet.video = media >= 0.22 && media < 0.30;
  tweet.gif = media >= 0.30 && media < 0.34;
  tweet.link = draws.chance(tweet.style == Style::news || tweet.style == Style::advert ? 0.55 : 0.15);
  tweet.domain = draws.below(kDomains / 2);
  tweet.domain += draws.below(kDomains / 2);
}

void Tweets::choose_hashtags(Draws& draws, Tweet& tweet) const noexcept {
  if (draws.chance(0.75)) return;
  const uint32_t count = 1 + draws.below(kMaxHashtags);
  for (uint32_t i = 0; i < count; ++i) {
    const auto tag = static_cast<uint32_t>(tweet.topic * kHashtagsPerTopic + by_hashtag_.draw(draws));
    const auto end = tweet.hashtags.begin() + tweet.hashtag_count;
    if (std::find(tweet.hashtags.begin(), end, tag) == end) tweet.hashtags[tweet.hashtag_count++] = tag;
  }
}

uint32_t Tweets::token(uint32_t language, Lexicon lexicon, uint32_t which, uint64_t rank) const noexcept {
  const uint64_t family = language == 0 ? 0 : 1 + language % (kFamilies - 1);
  const uint64_t list = (family << 8 | static_cast<uint64_t>(lexicon)) << 32 | which;
  return kFirstWord +
         static_cast<uint32_t>(key(seed_, Purpose::word, list, rank) % (vocabulary_ - kFirstWord));
}

uint32_t Tweets::word(Draws& draws, const Tweet& tweet) const noexcept {
  const double which = draws.uniform();
  if (which < 0.40) return token(tweet.language, Lexicon::common, 0, by_common_word_.draw(draws));
  if (which < 0.72) return token(tweet.language, Lexicon::topic, tweet.topic, by_topic_word_.draw(draws));
  if (which < 0.90)
    return token(tweet.language, Lexicon::subtopic, tweet.subtopic, by_subtopic_word_.draw(draws));
  const uint32_t other_topic = draws.below(kTopics);
  return token(tweet.language, Lexicon::topic, other_topic, by_topic_word_.draw(draws));
}

uint32_t Tweets::marker(Draws& draws, const Tweet& tweet, Style style) const noexcept {
  return token(tweet.language, Lexicon::style, static_cast<uint32_t>(style), by_marker_.draw(draws));
}

void Tweets::choose_words(Draws& draws, Tweet& tweet) const noexcept {
  uint32_t words = 4 + draws.below(21);
  words += draws.below(29);
  tweet.tokens[tweet.token_count++] = kCls;
  for (uint32_t i = 0; i < words; ++i) tweet.tokens[tweet.token_count++] = word(draws, tweet);
  for (const Style style : {tweet.style, tweet.second_style}) {
    if (style == Style::plain) continue;
    const uint32_t markers = 1 + draws.below(3);
    for (uint32_t i = 0; i < markers; ++i) {
      const uint32_t place = 1 + draws.below(tweet.token_count);  // anywhere after [CLS]
      tweet.tokens[tweet.token_count] = marker(draws, tweet, style);
      std::swap(tweet.tokens[tweet.token_count], tweet.tokens[place]);
      ++tweet.token_count;
    }
  }
  tweet.tokens[tweet.token_count++] = kSep;
}

}  // namespace kinglet::simulate
