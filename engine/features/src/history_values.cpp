#include "kinglet/features/history_values.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace kinglet::features {
namespace {

using formats::CounterKind;
using formats::Counts;
using formats::Fingerprint;
using formats::HistoryFile;
using formats::HistoryPart;
using formats::id_fingerprint;
using formats::key_fingerprint;
using formats::part_fingerprint;
using formats::SimilarAuthor;

// Positions of the first value of each group (spec section 3.2).
constexpr size_t kTrain = 0;
constexpr size_t kValid = 25;
constexpr size_t kSwapped = 49;
constexpr size_t kNone = 61;
constexpr size_t kHashtagGroup = 4;  // in each history, after pair, author, reader and language

struct CountValues {
  std::array<double, kReactions> reacted{};
  double none = 0;
};

/// One key's counters as the row may see them: first located, later read.
class Lookup {
 public:
  Lookup() = default;
  Lookup(const HistorySource& source, HistoryPart part, Fingerprint key) noexcept
      : part_(part), key_(key), place_(source.history->locate(part, key)) {
    if (source.own == nullptr || source.own_history != part) return;
    own_key_ = part_fingerprint(key, source.own_part);
    own_place_ = source.own->locate(part, own_key_);
  }

  CountValues read(const HistorySource& source) const noexcept {
    CountValues values;
    if (part_ == HistoryPart::valid && !source.valid_visible) return values;
    const Counts all = source.history->read(part_, key_, place_);
    const Counts own = own_key_ == 0 ? Counts{} : source.own->read(part_, own_key_, own_place_);
    for (size_t r = 0; r < kReactions; ++r) {
      values.reacted[r] = static_cast<double>(all.reacted[r]) - static_cast<double>(own.reacted[r]);
    }
    values.none = static_cast<double>(all.none) - static_cast<double>(own.none);
    return values;
  }

 private:
  HistoryPart part_ = HistoryPart::train;
  Fingerprint key_ = 0;
  Fingerprint own_key_ = 0;  // 0: nothing is taken off
  HistoryFile::Place place_{};
  HistoryFile::Place own_place_{};
};

struct Ids {
  explicit Ids(const Row& row) noexcept
      : author(id_fingerprint(row.author_id)),
        reader(id_fingerprint(row.reader_id)),
        language(id_fingerprint(row.language)),
        tweet(id_fingerprint(row.tweet_id)) {}

  Fingerprint author;
  Fingerprint reader;
  Fingerprint language;
  Fingerprint tweet;
};

/// The row's keys with one entry a group, in the order of the values.
struct FixedLookups {
  FixedLookups(const Ids& ids, const HistorySource& source) noexcept {
    const Fingerprint pair = key_fingerprint(CounterKind::pair, ids.author, ids.reader);
    const Fingerprint author = key_fingerprint(CounterKind::author, ids.author);
    const Fingerprint reader = key_fingerprint(CounterKind::reader, ids.reader);
    const Fingerprint language = key_fingerprint(CounterKind::language, ids.language, ids.reader);
    const Fingerprint tweet = key_fingerprint(CounterKind::tweet, ids.tweet);
    constexpr HistoryPart kInTrain = HistoryPart::train;
    constexpr HistoryPart kInValid = HistoryPart::valid;
    train = {Lookup(source, kInTrain, pair), Lookup(source, kInTrain, author),
             Lookup(source, kInTrain, reader), Lookup(source, kInTrain, language)};
    valid = {Lookup(source, kInValid, pair), Lookup(source, kInValid, author),
             Lookup(source, kInValid, reader), Lookup(source, kInValid, language)};
    valid_tweet = Lookup(source, kInValid, tweet);
    swapped = {Lookup(source, kInValid, key_fingerprint(CounterKind::pair, ids.reader, ids.author)),
               Lookup(source, kInValid, key_fingerprint(CounterKind::author, ids.reader)),
               Lookup(source, kInValid, key_fingerprint(CounterKind::reader, ids.author))};
  }

  std::array<Lookup, kHashtagGroup> train;
  std::array<Lookup, kHashtagGroup> valid;
  Lookup valid_tweet;
  std::array<Lookup, 3> swapped;
};

void put(const CountValues& counts, size_t at, std::span<double, kHistoryValues> values) noexcept {
  std::copy(counts.reacted.begin(), counts.reacted.end(), values.begin() + static_cast<std::ptrdiff_t>(at));
}

void add(const CountValues& counts, double weight, size_t at,
         std::span<double, kHistoryValues> values) noexcept {
  for (size_t r = 0; r < kReactions; ++r) values[at + r] += weight * counts.reacted[r];
}

void add_hashtags(const Row& row, const Ids& ids, const HistorySource& source,
                  std::span<double, kHistoryValues> values) noexcept {
  constexpr size_t kBatch = 16;
  std::array<Lookup, kBatch> train;
  std::array<Lookup, kBatch> valid;
  for (size_t start = 0; start < row.hashtags.size(); start += kBatch) {
    const size_t count = std::min(kBatch, row.hashtags.size() - start);
    for (size_t i = 0; i < count; ++i) {
      const Fingerprint key =
          key_fingerprint(CounterKind::hashtag, id_fingerprint(row.hashtags[start + i]), ids.reader);
      train[i] = Lookup(source, HistoryPart::train, key);
      valid[i] = Lookup(source, HistoryPart::valid, key);
    }
    for (size_t i = 0; i < count; ++i) {
      add(train[i].read(source), 1, kTrain + kHashtagGroup * kReactions, values);
      add(valid[i].read(source), 1, kValid + kHashtagGroup * kReactions, values);
    }
  }
}

void add_similar_authors(const Ids& ids, const HistorySource& source,
                         std::span<double, kHistoryValues> values) noexcept {
  constexpr size_t kSums = kTrain + (kHashtagGroup + 1) * kReactions;
  const std::span<const SimilarAuthor> similar = source.history->similar_authors(ids.author);
  std::array<Lookup, formats::kMaxSimilarAuthors> pairs;
  for (size_t i = 0; i < similar.size(); ++i) {
    pairs[i] =
        Lookup(source, HistoryPart::train, key_fingerprint(CounterKind::pair, similar[i].author, ids.reader));
  }
  for (size_t i = 0; i < similar.size(); ++i) {
    add(pairs[i].read(source), similar[i].similarity, kSums, values);
    values[kSums + kReactions] += similar[i].similarity;
  }
}

void put_fixed(const FixedLookups& lookups, const HistorySource& source,
               std::span<double, kHistoryValues> values) noexcept {
  for (size_t group = 0; group < kHashtagGroup; ++group) {
    put(lookups.train[group].read(source), kTrain + group * kReactions, values);
    const CountValues valid = lookups.valid[group].read(source);
    put(valid, kValid + group * kReactions, values);
    if (group < 3) values[kNone + group] = valid.none;  // pair, author, reader
  }
  const CountValues tweet = lookups.valid_tweet.read(source);
  put(tweet, kValid + (kHashtagGroup + 1) * kReactions, values);
  values[kNone + 3] = tweet.none;
  for (size_t group = 0; group < lookups.swapped.size(); ++group) {
    put(lookups.swapped[group].read(source), kSwapped + group * kReactions, values);
  }
}

void fill_values(const Row& row, const Ids& ids, const HistorySource& source, const FixedLookups& fixed,
                 std::span<double, kHistoryValues> values) noexcept {
  std::fill(values.begin(), values.end(), 0.0);
  add_similar_authors(ids, source, values);
  add_hashtags(row, ids, source, values);
  put_fixed(fixed, source, values);
}

}  // namespace

void history_values(const Row& row, const HistorySource& source,
                    std::span<double, kHistoryValues> values) noexcept {
  const Ids ids(row);
  source.history->prefetch_similar_authors(ids.author);
  fill_values(row, ids, source, FixedLookups(ids, source), values);
}

void history_values(const Row& row, const HistorySource& source, std::span<double, kHistoryValues> values,
                    std::span<double, kShownValues> shown) noexcept {
  const Ids ids(row);
  source.history->prefetch_similar_authors(ids.author);
  const Lookup tweet(source, HistoryPart::train, key_fingerprint(CounterKind::tweet, ids.tweet));
  const FixedLookups fixed(ids, source);
  fill_values(row, ids, source, fixed, values);
  const CountValues of_tweet = tweet.read(source);
  std::copy(of_tweet.reacted.begin(), of_tweet.reacted.end(), shown.begin());
  for (size_t group = 0; group < 3; ++group) {  // pair, author, reader
    shown[kReactions + group] = fixed.train[group].read(source).none;
  }
  shown[kReactions + 3] = of_tweet.none;
}

}  // namespace kinglet::features
