#include "row_counters.h"

#include <algorithm>

#include "kinglet/formats/history_counts.h"

namespace kinglet::history {

using formats::CounterKind;
using formats::id_fingerprint;
using formats::key_fingerprint;
using formats::PackedCounts;

void RowCounters::set(const Row& row) {
  author_ = id_fingerprint(row.author_id);
  reader_ = id_fingerprint(row.reader_id);
  increments_ = 0;
  for (unsigned r = 0; r < kReactions; ++r) {
    if (row.reacted(static_cast<Reaction>(r))) increments_ |= PackedCounts::one(r);
  }
  keys_ = {key_fingerprint(CounterKind::pair, author_, reader_),
           key_fingerprint(CounterKind::author, author_), key_fingerprint(CounterKind::reader, reader_),
           key_fingerprint(CounterKind::tweet, id_fingerprint(row.tweet_id))};
  if (increments_ == 0) {  // no row without a reaction is counted for a language or a hashtag
    increments_ = PackedCounts::one(kReactions);
    return;
  }
  keys_.push_back(key_fingerprint(CounterKind::language, id_fingerprint(row.language), reader_));
  const auto hashtags = static_cast<std::ptrdiff_t>(keys_.size());
  for (const std::string_view hashtag : row.hashtags) {
    keys_.push_back(key_fingerprint(CounterKind::hashtag, id_fingerprint(hashtag), reader_));
  }
  // A counter is a number of rows: a hashtag listed twice counts once.
  std::sort(keys_.begin() + hashtags, keys_.end());
  keys_.erase(std::unique(keys_.begin() + hashtags, keys_.end()), keys_.end());
}

}  // namespace kinglet::history
