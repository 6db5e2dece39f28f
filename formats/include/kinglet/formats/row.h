#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace kinglet {

/// The four reactions in the order of the history counters (spec section 2). Logits have their own order:
/// Target.
enum class Reaction : uint8_t { like, reply, retweet, quote };
inline constexpr size_t kReactions = 4;

enum class TweetType : uint8_t { top_level, retweet, quote };

/// What the row format allows (docs/formats/rows.md). A row beyond a limit is refused with its line and
/// field.
struct RowLimits {
  static constexpr size_t line_bytes = size_t{1} << 20;
  static constexpr size_t id_bytes = 256;
  static constexpr size_t list_items = 65'536;
  static constexpr uint32_t token_id = (uint32_t{1} << 24) - 1;
  static constexpr uint64_t count = 4'294'967'295;       // followers, following
  static constexpr int64_t timestamp = 253'402'300'799;  // the last second of the year 9999
};

/// One parsed row: one tweet shown to one reader (spec section 1). Ids and lists are views into the memory of
/// whoever made the row (RowReader: valid until its next call). All timestamps are Unix seconds.
struct Row {
  std::span<const uint32_t> tokens;  // [CLS] and [SEP] included: at least 2
  std::span<const std::string_view> hashtags;
  std::string_view tweet_id;
  std::string_view language;
  std::string_view author_id;  // field engaged_with_user_id
  std::string_view reader_id;  // field engaging_user_id
  int64_t tweet_timestamp = 0;
  int64_t author_account_creation = 0;
  int64_t reader_account_creation = 0;
  uint64_t author_follower_count = 0;
  uint64_t author_following_count = 0;
  uint64_t reader_follower_count = 0;
  uint64_t reader_following_count = 0;
  uint32_t link_count = 0;
  uint32_t domain_count = 0;
  TweetType tweet_type = TweetType::top_level;
  bool has_photo = false;
  bool has_video = false;
  bool has_gif = false;
  bool author_is_verified = false;
  bool reader_is_verified = false;
  bool engagee_follows_engager = false;
  /// 24 fields were given. Without labels every reaction time is 0.
  bool has_labels = false;
  /// Indexed by Reaction; 0 = that reaction did not happen.
  std::array<int64_t, kReactions> reaction_timestamps{};

  bool reacted(Reaction reaction) const noexcept {
    return reaction_timestamps[static_cast<size_t>(reaction)] != 0;
  }
  /// The row's time (spec section 1): the latest reaction's timestamp, else the tweet's.
  int64_t time() const noexcept {
    const int64_t latest = *std::max_element(reaction_timestamps.begin(), reaction_timestamps.end());
    return latest != 0 ? latest : tweet_timestamp;
  }
};

}  // namespace kinglet
