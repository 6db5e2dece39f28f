#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "kinglet/formats/history_file.h"
#include "kinglet/formats/progress.h"

#include "author_names.h"
#include "record_sorter.h"

namespace kinglet::history {

/// F(a) of spec section 4: for each author, the readers in training rows with engagee_follows_engager.
/// Gathered on disk; the ids of authors stay in memory (about 100 bytes each, at most a quarter of the
/// budget).
class FollowerSets {
 public:
  FollowerSets(std::filesystem::path output, uint64_t memory_bytes, ProgressFn progress);

  void add(formats::Fingerprint author, std::string_view author_id, formats::Fingerprint reader);

  /// Called for each author that has similar ones, by author id ascending.
  using Sink =
      std::function<void(formats::Fingerprint author, std::span<const formats::SimilarAuthor> similar)>;
  /// Finds all similar authors. Holds 8 bytes a pair of author and follower, 12 a reader and 28 an author in
  /// memory; throws Error if that is more than the budget.
  void find_similar(const Sink& sink) &&;

 private:
  void check_memory(uint64_t bytes, uint64_t limit) const;

  std::filesystem::path output_;
  uint64_t memory_bytes_;
  ProgressFn progress_;
  AuthorNames names_;
  RecordSorter followers_;  // (author, reader)
};

}  // namespace kinglet::history
