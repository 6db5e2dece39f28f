#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// The features that the engine can compute from a row, its history and its communities, by name, in the
/// paper's order (spec section 3). A layout may hold any of them in any order.
namespace kinglet {

inline constexpr size_t kRowNumerics = 73;       // history, then counts and ages
inline constexpr size_t kCommunityNumerics = 4;  // appended to them
inline constexpr size_t kShownNumerics = 8;      // behind these: more counters of the train history
inline constexpr size_t kFineAgeNumerics = 2;    // last: the accounts' ages in seconds
inline constexpr size_t kAllNumerics = kRowNumerics + kCommunityNumerics + kShownNumerics + kFineAgeNumerics;
inline constexpr size_t kRowFlags = 12;
inline constexpr size_t kCommunityFlags = 4;

/// kAllNumerics names, e.g. "train_pair_like", "valid_swapped_author_reply", "token_count",
/// "reader_account_age_days", "community_like"; then what the paper leaves out of the train history: the
/// tweet's counters and the rows shown without a reaction, "train_tweet_like", "train_none_reader"; last
/// "reader_account_age_seconds" and the author's.
const std::vector<std::string>& numeric_names();
/// kRowFlags + kCommunityFlags names, e.g. "engagee_follows_engager", "has_photo", "same_community_like".
const std::vector<std::string>& flag_names();
/// "language", "hour", "day".
inline constexpr std::array<std::string_view, 3> kEmbeddingNames = {"language", "hour", "day"};

}  // namespace kinglet
