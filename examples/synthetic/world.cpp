#include <algorithm>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

#include "synthetic/output.h"
#include "synthetic/synthetic.h"

namespace kinglet::synthetic {
namespace {

constexpr char kField = '\x01';
constexpr int64_t kFirstAccount = 1'142'899'200;  // 21 March 2006
constexpr int64_t kLastAccount = 1'609'459'200;   // 1 January 2021
constexpr size_t kTweetsShown = 400;              // at a time

// Reactions in the order of the label fields: reply, retweet, quote, like.
constexpr double kRates[4] = {0.03, 0.09, 0.007, 0.40};

// What an id names. Ids of one kind never meet those of another.
enum Kind : uint64_t { kTweet = 1, kAuthor, kReader, kLanguage, kHashtag, kLink, kDomain, kFollows };

std::string hashed_id(uint64_t seed, Kind kind, uint64_t number) {
  const uint64_t high = mix(mix(seed ^ (uint64_t{kind} << 56)) ^ number);
  return fmt::format("{:016X}{:016X}", high, mix(high));
}

std::string_view as_field(bool value) {
  return value ? "true" : "false";
}

}  // namespace

SyntheticWorld::SyntheticWorld(const WorldOptions& options)
    : options_(options),
      random_(mix(options.seed)),
      audiences_((options.languages + 1) * options.topics),
      by_author_(options.authors, 8),
      by_reader_(options.readers, 40),
      by_language_(options.languages, 1),
      by_hashtag_(std::max<size_t>(options.hashtags / options.topics, 1), 2),
      by_token_(4'000, 10) {
  const auto popularity = [](size_t rank, size_t of) {
    return static_cast<double>(of) / (static_cast<double>(rank) + 3);
  };
  for (size_t i = 0; i < options.authors; ++i) {
    authors_.push_back(make_account(kAuthor, i, 500 * popularity(i, options.authors)));
  }
  for (size_t i = 0; i < options.readers; ++i) {
    readers_.push_back(make_account(kReader, i, 2 * popularity(i, options.readers)));
    const Account& reader = readers_.back();
    for (const uint16_t topic : {reader.topic, reader.second_topic}) {
      audiences_[reader.language * options.topics + topic].push_back(static_cast<uint32_t>(i));
    }
  }
}

// Every account follows from its number alone, not from how many were made before it.
SyntheticWorld::Account SyntheticWorld::make_account(uint64_t kind, size_t number, double popularity) const {
  Random random(mix(options_.seed ^ (kind << 56)) ^ number);
  Account account{};
  account.followers = static_cast<uint32_t>(popularity * random.uniform(0.2, 1.8) + random.uniform() * 50);
  account.following = static_cast<uint32_t>(random.below(300) + random.below(300) * random.below(5));
  account.created = random.between(kFirstAccount, kLastAccount);
  account.verified = random.chance(account.followers > 50'000 ? 0.6 : 0.01);
  account.language =
      static_cast<uint16_t>(random.chance(0.01) ? options_.languages : by_language_.draw(random));
  const auto topics = static_cast<uint32_t>(options_.topics);
  account.topic = static_cast<uint16_t>(random.below(topics));
  account.second_topic = static_cast<uint16_t>(random.below(topics));
  account.activity = static_cast<float>(random.uniform(0.2, 1.8));
  return account;
}

std::vector<std::string> SyntheticWorld::language_names() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < options_.languages; ++i) names.push_back(hashed_id(options_.seed, kLanguage, i));
  return names;
}

void SyntheticWorld::append_tokens(const Account& author, std::string& text) {
  constexpr uint32_t kFirstWord = 1'000;
  const uint32_t words = options_.vocabulary - kFirstWord;
  const auto out = std::back_inserter(text);
  text += "101";
  const int64_t count = random_.between(4, 28) + random_.between(0, 28);
  for (int64_t i = 0; i < count; ++i) {
    // Each topic has its own frequent words, spread over the vocabulary; a third of all words belong to no
    // topic.
    const uint64_t topic = random_.chance(0.33) ? 0 : uint64_t{1} + author.topic;
    const uint64_t word = mix(topic << 32 | by_token_.draw(random_)) % words;
    fmt::format_to(out, "\t{}", kFirstWord + word);
  }
  text += "\t102";
}

void SyntheticWorld::append_hashtags(const Account& author, std::string& text) {
  const uint32_t count = random_.chance(0.75) ? 0 : 1 + random_.below(4);
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t tag = uint64_t{author.topic} << 32 | by_hashtag_.draw(random_);
    if (i > 0) text += '\t';
    text += hashed_id(options_.seed, kHashtag, tag);
  }
}

SyntheticWorld::Tweet SyntheticWorld::write_tweet(int64_t now) {
  constexpr std::string_view kTypes[10] = {"TopLevel", "TopLevel", "TopLevel", "TopLevel", "TopLevel",
                                           "Retweet",  "Retweet",  "Retweet",  "TopLevel", "Quote"};
  constexpr std::string_view kMedia[8] = {"", "", "", "", "Photo", "Photo\tPhoto", "Video", "GIF"};
  Tweet tweet{};
  tweet.number = tweets_++;
  tweet.author = static_cast<uint32_t>(by_author_.draw(random_));
  tweet.written = now - random_.between(0, 3 * 3'600);
  tweet.appeal = static_cast<float>(random_.uniform(0.4, 1.6));
  const Account& author = authors_[tweet.author];
  std::string& head = tweet.head;
  append_tokens(author, head);
  head += kField;
  append_hashtags(author, head);
  head += kField;
  head += hashed_id(options_.seed, kTweet, tweet.number);
  head += kField;
  head += kMedia[random_.below(8)];
  head += kField;
  const bool link = random_.chance(0.2);
  if (link) head += hashed_id(options_.seed, kLink, tweet.number);
  head += kField;
  if (link) head += hashed_id(options_.seed, kDomain, random_.below(200));
  head += kField;
  head += kTypes[random_.below(10)];
  head += kField;
  head += hashed_id(options_.seed, kLanguage, author.language);
  head += kField;
  fmt::format_to(std::back_inserter(head), "{}", tweet.written);
  head += kField;
  return tweet;
}

size_t SyntheticWorld::pick_reader(const Account& author) {
  const auto& audience = audiences_[author.language * options_.topics + author.topic];
  if (!audience.empty() && random_.chance(0.7))
    return audience[random_.below(static_cast<uint32_t>(audience.size()))];
  return by_reader_.draw(random_);
}

bool SyntheticWorld::follows(uint32_t author, size_t reader) const noexcept {
  const Account& a = authors_[author];
  const Account& r = readers_[reader];
  const bool interested = r.language == a.language && (r.topic == a.topic || r.second_topic == a.topic);
  const uint64_t draw =
      mix(mix(options_.seed ^ (uint64_t{kFollows} << 56)) ^ (uint64_t{author} << 32 | reader));
  return draw % 100 < (interested ? 70 : 4);
}

void SyntheticWorld::append_labels(double affinity, int64_t shown_at, std::string& text) {
  for (const double rate : kRates) {
    text += kField;
    if (!random_.chance(std::min(rate * affinity, 0.95))) continue;
    fmt::format_to(std::back_inserter(text), "{}",
                   shown_at + random_.between(1, 1 + random_.between(5, 5'400)));
  }
}

void SyntheticWorld::append_row(int64_t shown_at, Labels labels, std::string& text) {
  if (recent_.size() < kTweetsShown) {
    recent_.push_back(write_tweet(shown_at));
  } else if (random_.chance(0.25)) {
    recent_[tweets_ % kTweetsShown] = write_tweet(shown_at);
  }
  const Tweet& tweet = recent_[random_.below(static_cast<uint32_t>(recent_.size()))];
  const Account& author = authors_[tweet.author];
  const size_t reader_number = pick_reader(author);
  const Account& reader = readers_[reader_number];
  const bool follower = follows(tweet.author, reader_number);

  const auto append_account = [&](Kind kind, uint64_t number, const Account& account) {
    fmt::format_to(std::back_inserter(text), "{}\x01{}\x01{}\x01{}\x01{}\x01",
                   hashed_id(options_.seed, kind, number), account.followers, account.following,
                   as_field(account.verified), account.created);
  };
  text += tweet.head;
  append_account(kAuthor, tweet.author, author);
  append_account(kReader, reader_number, reader);
  text += as_field(follower);
  // The means of the two draws are 1 and that of the third factor is near it, which keeps the base rates.
  if (labels == Labels::yes)
    append_labels(tweet.appeal * reader.activity * (follower ? 1.3 : 0.7), shown_at, text);
  text += '\n';
}

void write_rows(SyntheticWorld& world, const std::filesystem::path& folder, size_t parts, uint64_t rows,
                int64_t from, int64_t until, SyntheticWorld::Labels labels) {
  std::filesystem::create_directories(folder);
  std::string text;
  uint64_t row = 0;
  for (size_t part = 0; part < parts; ++part) {
    Output file(folder / fmt::format("part-{:05}", part));
    for (const uint64_t end = rows * (part + 1) / parts; row < end; ++row) {
      const double share = static_cast<double>(row) / static_cast<double>(rows);
      world.append_row(from + static_cast<int64_t>(share * static_cast<double>(until - from)), labels, text);
      if (text.size() < (size_t{1} << 20)) continue;
      file.write(text);
      text.clear();
    }
    file.write(text);
    file.close();
    text.clear();
  }
}

}  // namespace kinglet::synthetic
