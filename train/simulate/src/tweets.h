#pragma once

#include <array>
#include <cstdint>

#include "kinglet/formats/row.h"

#include "src/accounts.h"
#include "src/calendar.h"
#include "src/draws.h"

namespace kinglet::simulate {

inline constexpr uint32_t kTopics = 48;
inline constexpr uint32_t kSubtopics = 8;  // of each topic
inline constexpr uint32_t kStyles = 8;
inline constexpr size_t kMaxTokens = 64;
inline constexpr size_t kMaxHashtags = 3;
inline constexpr uint64_t kMostShown = 200;  // readers of one tweet

/// How a tweet speaks; a few words of it give that away, whatever the topic. See reactions.cpp for what it
/// does.
enum class Style : uint8_t { plain, question, call_to_share, joke, rant, advert, news, greeting };

/// A tweet: a function of its number and of when it was written.
struct Tweet {
  uint64_t number = 0;
  int64_t time = 0;
  uint32_t day = 0;
  Account author;
  uint32_t language = 0;
  uint32_t topic = 0;
  uint32_t subtopic = 0;  // below kTopics x kSubtopics
  Style style = Style::plain;
  Style second_style = Style::plain;  // plain = none
  TweetType type = TweetType::top_level;
  uint32_t photos = 0;
  bool video = false;
  bool gif = false;
  bool link = false;
  uint32_t domain = 0;
  double quality = 0;  // what no feature tells but how others reacted; mean 0, variance 1
  uint32_t shown = 0;  // to how many readers, at least 1
  uint32_t hashtag_count = 0;
  std::array<uint32_t, kMaxHashtags> hashtags{};
  uint32_t token_count = 0;  // [CLS] and [SEP] included
  std::array<uint32_t, kMaxTokens> tokens{};
};

/// What is written. Immutable.
class Tweets {
 public:
  Tweets(uint64_t seed, const Accounts& accounts, uint64_t readers, uint32_t languages,
         uint32_t vocabulary) noexcept;

  Tweet write(uint64_t number, int64_t time, uint32_t day) const noexcept;
  uint32_t language_of(uint64_t community) const noexcept;
  uint32_t main_topic_of(uint64_t community) const noexcept;

 private:
  void choose_topic(Draws& draws, Tweet& tweet) const noexcept;
  void choose_style(Draws& draws, Tweet& tweet) const noexcept;
  void choose_form(Draws& draws, Tweet& tweet) const noexcept;
  void choose_hashtags(Draws& draws, Tweet& tweet) const noexcept;
  void choose_words(Draws& draws, Tweet& tweet) const noexcept;
  uint32_t word(Draws& draws, const Tweet& tweet) const noexcept;
  uint32_t marker(Draws& draws, const Tweet& tweet, Style style) const noexcept;

  /// Lists of words that the languages of one family share; each word is a token id.
  enum class Lexicon : uint8_t { common, topic, subtopic, style };
  uint32_t token(uint32_t language, Lexicon lexicon, uint32_t which, uint64_t rank) const noexcept;

  uint64_t seed_;
  const Accounts* accounts_;
  uint32_t vocabulary_;
  uint32_t most_shown_;
  PowerLaw by_language_, by_common_word_, by_topic_word_, by_subtopic_word_, by_marker_, by_hashtag_,
      by_subtopic_;
};

}  // namespace kinglet::simulate
