#include "follower_sets.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "kinglet/formats/error.h"

#include "similar_authors.h"

namespace kinglet::history {
namespace {

using formats::Fingerprint;
using formats::SimilarAuthor;

SortedRuns::Merging report_merging(const ProgressFn& progress) {
  if (!progress) return {};
  return [progress](uint64_t done, uint64_t total) { progress("merging followers", done, total, "records"); };
}

/// Numbers of AuthorNames in the order of the ids.
std::vector<uint32_t> order_by_id(const AuthorNames& names) {
  std::vector<uint32_t> order(names.size());
  std::iota(order.begin(), order.end(), uint32_t{0});
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return names.id(a) < names.id(b); });
  return order;
}

}  // namespace

FollowerSets::FollowerSets(std::filesystem::path output, uint64_t memory_bytes, ProgressFn progress)
    : output_(std::move(output)),
      memory_bytes_(memory_bytes),
      progress_(std::move(progress)),
      followers_(output_, memory_bytes / 8, report_merging(progress_)) {}

void FollowerSets::check_memory(uint64_t bytes, uint64_t limit) const {
  if (bytes <= limit) return;
  const uint64_t needed = (bytes + limit - 1) / limit * memory_bytes_;
  throw Error(
      output_.string(), "similar authors",
      "needs more memory than the build may use: allow about " + std::to_string((needed >> 20) + 1) + "M");
}

void FollowerSets::add(Fingerprint author, std::string_view author_id, Fingerprint reader) {
  const size_t authors = names_.size();
  names_.add(author, author_id);
  if (names_.size() != authors) check_memory(names_.memory_bytes(), memory_bytes_ / 4);
  followers_.add({author, reader});
}

void FollowerSets::find_similar(const Sink& sink) && {
  const SortedRuns by_author = std::move(followers_).finish();
  const std::vector<uint32_t> order = order_by_id(names_);
  std::vector<uint32_t> index_of(names_.size());  // number -> index in the order of the ids
  for (uint32_t index = 0; index < order.size(); ++index) index_of[order[index]] = index;

  RecordSorter sorter(output_, memory_bytes_ / 8, report_merging(progress_));
  SortedRuns::Cursor cursor(by_author);
  for (Record record; cursor.next(record);) sorter.add({record.value, index_of[names_.number(record.key)]});
  const SortedRuns by_reader = std::move(sorter).finish();

  const SimilarAuthorFinder::Size size = SimilarAuthorFinder::size_of(by_reader, order.size());
  check_memory(size.memory_bytes(), memory_bytes_ / 2);
  SimilarAuthorFinder finder(by_reader, size);
  std::vector<SimilarAuthor> similar;
  for (uint32_t author = 0; author < order.size(); ++author) {
    if (progress_ && author % 1'024 == 0) progress_("similar authors", author, order.size(), "authors");
    similar.clear();
    for (const SimilarAuthorFinder::Match& match : finder.find(author)) {
      similar.push_back({names_.fingerprint(order[match.author]), match.similarity});
    }
    if (!similar.empty()) sink(names_.fingerprint(order[author]), similar);
  }
}

}  // namespace kinglet::history
