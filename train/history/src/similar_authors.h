#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sorted_runs.h"

namespace kinglet::history {

/// Finds, for one author after the other, the authors whose sets of followers have a Jaccard similarity of at
/// least 0.1 (spec section 4), exactly and without comparing all pairs. Authors are numbered in the order of
/// their ids.
///
/// Two sets that are similar enough share at least a tenth of either. So a set's followers are taken in order
/// of how few authors they follow, and only those before its last tenth can bring up an author that was not
/// met before: the followers of very many authors come last and are looked up in the few sets still in
/// question. Sets more than ten times larger or smaller are never counted.
class SimilarAuthorFinder {
 public:
  struct Size {
    uint64_t authors;
    uint64_t readers;
    uint64_t pairs;
    /// What the finder holds.
    uint64_t memory_bytes() const noexcept { return pairs * 8 + readers * 12 + authors * 28; }
  };
  struct Match {
    uint32_t author;
    double similarity;
  };

  /// `by_reader` holds (reader, author number), ascending and distinct.
  static Size size_of(const SortedRuns& by_reader, uint64_t authors);
  SimilarAuthorFinder(const SortedRuns& by_reader, const Size& size);

  /// The author's matches, itself left out: by similarity descending, then by number, at most
  /// formats::kMaxSimilarAuthors. Valid until the next call.
  std::span<const Match> find(uint32_t author);

 private:
  std::span<const uint32_t> followers(uint32_t author) const noexcept {
    return {&followers_[first_follower_[author]], first_follower_[author + 1] - first_follower_[author]};
  }
  void read(const SortedRuns& by_reader);
  void number_readers_by_degree();
  void count_shared(uint32_t author, std::span<const uint32_t> prefix);
  void keep_if_similar(uint32_t author, uint32_t other, std::span<const uint32_t> suffix);

  std::vector<uint64_t>
      first_author_;  // a reader's authors: authors_[first_author_[r] .. first_author_[r + 1])
  std::vector<uint32_t> authors_;
  std::vector<uint32_t> by_degree_;       // readers by how many authors they follow, ascending
  std::vector<uint64_t> first_follower_;  // an author's followers, as places in by_degree_, ascending
  std::vector<uint32_t> followers_;
  std::vector<uint32_t> shared_;  // followers shared with the author in hand, so far
  std::vector<uint32_t> met_;     // authors with shared_ != 0
  std::vector<Match> matches_;
};

}  // namespace kinglet::history
