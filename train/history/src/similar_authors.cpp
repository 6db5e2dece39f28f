#include "similar_authors.h"

#include <algorithm>
#include <limits>

#include "kinglet/formats/error.h"
#include "kinglet/formats/history_file.h"

namespace kinglet::history {
namespace {

// Jaccard(a, b) >= 1 / kInverse, in whole numbers: kInverse * shared >= size of the union. The quotient in
// float64 says the same for sets of fewer than 2^32, as it is rounded correctly.
constexpr uint64_t kInverse = 10;

/// Whether sets of these sizes that share this many are similar enough.
bool similar_enough(uint64_t shared, uint64_t size_a, uint64_t size_b) {
  return kInverse * shared >= size_a + size_b - shared;
}

}  // namespace

SimilarAuthorFinder::Size SimilarAuthorFinder::size_of(const SortedRuns& by_reader, uint64_t authors) {
  Size size{authors, 0, 0};
  SortedRuns::Cursor cursor(by_reader);
  uint64_t reader = 0;  // no fingerprint is 0
  for (Record record; cursor.next(record); ++size.pairs) {
    if (record.key != reader) ++size.readers;
    reader = record.key;
  }
  constexpr uint64_t kLimit = std::numeric_limits<uint32_t>::max();
  if (size.authors >= kLimit || size.readers >= kLimit) throw Error("similar authors: more than 2^32 ids");
  return size;
}

SimilarAuthorFinder::SimilarAuthorFinder(const SortedRuns& by_reader, const Size& size)
    : first_follower_(size.authors + 1), shared_(size.authors) {
  first_author_.reserve(size.readers + 1);
  authors_.reserve(size.pairs);
  read(by_reader);
  number_readers_by_degree();
}

void SimilarAuthorFinder::read(const SortedRuns& by_reader) {
  SortedRuns::Cursor cursor(by_reader);
  uint64_t reader = 0;
  for (Record record; cursor.next(record);) {
    if (record.key != reader) first_author_.push_back(authors_.size());
    reader = record.key;
    authors_.push_back(static_cast<uint32_t>(record.value));
  }
  first_author_.push_back(authors_.size());
}

void SimilarAuthorFinder::number_readers_by_degree() {
  by_degree_.resize(first_author_.size() - 1);
  for (uint32_t reader = 0; reader < by_degree_.size(); ++reader) by_degree_[reader] = reader;
  const auto degree = [&](uint32_t reader) { return first_author_[reader + 1] - first_author_[reader]; };
  std::sort(by_degree_.begin(), by_degree_.end(),
            [&](uint32_t a, uint32_t b) { return degree(a) != degree(b) ? degree(a) < degree(b) : a < b; });

  for (const uint32_t author : authors_) ++first_follower_[author + 1];
  for (size_t a = 1; a < first_follower_.size(); ++a) first_follower_[a] += first_follower_[a - 1];
  followers_.resize(authors_.size());
  std::vector<uint64_t> next(first_follower_.begin(), first_follower_.end() - 1);
  for (uint32_t place = 0; place < by_degree_.size(); ++place) {
    const uint32_t reader = by_degree_[place];
    for (uint64_t i = first_author_[reader]; i < first_author_[reader + 1]; ++i) {
      followers_[next[authors_[i]]++] = place;
    }
  }
}

void SimilarAuthorFinder::count_shared(uint32_t author, std::span<const uint32_t> prefix) {
  const uint64_t size = followers(author).size();
  for (const uint32_t place : prefix) {
    const uint32_t reader = by_degree_[place];
    for (uint64_t i = first_author_[reader]; i < first_author_[reader + 1]; ++i) {
      const uint32_t other = authors_[i];
      if (other == author) continue;
      if (shared_[other] == 0) {
        const uint64_t other_size = followers(other).size();
        if (other_size * kInverse < size || size * kInverse < other_size) continue;
        met_.push_back(other);
      }
      ++shared_[other];
    }
  }
}

void SimilarAuthorFinder::keep_if_similar(uint32_t author, uint32_t other, std::span<const uint32_t> suffix) {
  const std::span<const uint32_t> mine = followers(author);
  const std::span<const uint32_t> theirs = followers(other);
  uint64_t shared = shared_[other];
  const uint64_t possible = shared + std::min<uint64_t>(suffix.size(), theirs.size() - shared);
  if (!similar_enough(possible, mine.size(), theirs.size())) return;
  auto from = theirs.begin();
  for (const uint32_t place : suffix) {
    from = std::lower_bound(from, theirs.end(), place);
    if (from == theirs.end()) break;
    if (*from == place) ++shared;
  }
  if (!similar_enough(shared, mine.size(), theirs.size())) return;
  const uint64_t united = mine.size() + theirs.size() - shared;
  matches_.push_back({other, static_cast<double>(shared) / static_cast<double>(united)});
}

std::span<const SimilarAuthorFinder::Match> SimilarAuthorFinder::find(uint32_t author) {
  const std::span<const uint32_t> mine = followers(author);
  const size_t least_shared = (mine.size() + kInverse - 1) / kInverse;
  const size_t prefix = mine.size() - least_shared + 1;
  met_.clear();
  matches_.clear();
  count_shared(author, mine.first(prefix));
  for (const uint32_t other : met_) {
    keep_if_similar(author, other, mine.subspan(prefix));
    shared_[other] = 0;
  }
  const size_t kept = std::min(matches_.size(), formats::kMaxSimilarAuthors);
  std::partial_sort(matches_.begin(), matches_.begin() + static_cast<std::ptrdiff_t>(kept), matches_.end(),
                    [](const Match& a, const Match& b) {
                      return a.similarity != b.similarity ? a.similarity > b.similarity : a.author < b.author;
                    });
  return std::span(matches_).first(kept);
}

}  // namespace kinglet::history
