#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kinglet/metrics/evaluated_rows.h"

/// The metrics of one predictor, over all rows and over parts of them (spec section 8).
namespace kinglet::metrics {

struct Metrics {
  double average_precision = 0;
  double relative_cross_entropy = 0;  // percent
};

/// One reaction over some rows.
struct ReactionResult {
  uint64_t rows = 0;
  uint64_t positives = 0;
  /// Nothing where all rows are positive or none is.
  std::optional<Metrics> metrics;
};

/// Indexed by Reaction.
using Results = std::array<ReactionResult, kReactions>;

/// The rows of the authors whose follower counts lie in [least_followers, most_followers].
struct AuthorGroup {
  uint64_t authors = 0;
  uint32_t least_followers = 0;
  uint32_t most_followers = 0;
  Results results;
};

/// The mean over the groups where the reaction could be measured.
struct GroupMean {
  uint64_t groups = 0;
  std::optional<Metrics> metrics;
};

struct LanguageResults {
  std::string language;
  Results results;
};

struct Report {
  Results all;
  std::vector<AuthorGroup> groups;  // from the fewest followers up, at most kAuthorGroups
  std::array<GroupMean, kReactions> group_mean;
  std::vector<LanguageResults> languages;  // by rows, most first, then by name
};

inline constexpr size_t kAuthorGroups = 5;

/// Each author's group, from 0 up without gaps: the number of quantiles 1/5 .. 4/5 of the follower counts
/// (linear between two counts, each author counted once) that lie below its count. Authors of equal counts
/// stay together; a group that this leaves empty is skipped.
std::vector<uint8_t> author_groups(std::span<const uint32_t> followers);

/// Throws Error if there is no row, or not one probability a row. Deterministic; thread-safe on shared
/// arguments.
Report evaluate(const EvaluatedRows& rows, const Probabilities& probabilities);

}  // namespace kinglet::metrics
