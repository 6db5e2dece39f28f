#include "kinglet/features/row_features.h"

#include <algorithm>
#include <span>

namespace kinglet::features {
namespace {

constexpr int64_t kDaySeconds = 86'400;

void add_communities(const Communities& communities, RowFeatures& features) noexcept {
  for (size_t r = 0; r < kReactions; ++r) {
    const bool together =
        communities.author[r] != Communities::kNone && communities.author[r] == communities.reader[r];
    features.numerics[kRowNumerics + r] = together ? 1.0 / communities.size[r] : 0.0;
    features.flags |= static_cast<uint64_t>(together) << (kRowFlags + r);
  }
}

/// A row may hold times up to the year 9999; encodings take up to 2^36.
double age_in_seconds(int64_t creation, int64_t time) noexcept {
  constexpr int64_t kMost = int64_t{1} << 36;
  return static_cast<double>(std::clamp(time - creation, -kMost, kMost));
}

}  // namespace

int64_t whole_days(int64_t creation, int64_t time) noexcept {
  const int64_t seconds = time - creation;
  return seconds / kDaySeconds - (seconds % kDaySeconds < 0 ? 1 : 0);
}

uint32_t day_of_month(int64_t seconds) noexcept {
  // Days are counted from 1 March of year 0 of a 400-year cycle (146,097 days), so that the leap day comes
  // last.
  const int64_t days = seconds / kDaySeconds + 719'468;
  const int64_t day_of_cycle = days % 146'097;
  const int64_t year =
      (day_of_cycle - day_of_cycle / 1'460 + day_of_cycle / 36'524 - day_of_cycle / 146'096) / 365;
  const int64_t day_of_year = day_of_cycle - (365 * year + year / 4 - year / 100);
  const int64_t month = (5 * day_of_year + 2) / 153;  // months of 153 days in 5, from March
  return static_cast<uint32_t>(day_of_year - (153 * month + 2) / 5 + 1);
}

void fill_counts_and_ages(const Row& row, double* numerics) noexcept {
  numerics[kHistoryValues + 0] = static_cast<double>(row.hashtags.size());
  numerics[kHistoryValues + 1] = static_cast<double>(row.tokens.size());
  numerics[kHistoryValues + 2] = static_cast<double>(row.author_follower_count);
  numerics[kHistoryValues + 3] = static_cast<double>(row.author_following_count);
  numerics[kHistoryValues + 4] = static_cast<double>(row.reader_follower_count);
  numerics[kHistoryValues + 5] = static_cast<double>(row.reader_following_count);
  numerics[kHistoryValues + 6] =
      static_cast<double>(whole_days(row.reader_account_creation, row.tweet_timestamp));
  numerics[kHistoryValues + 7] =
      static_cast<double>(whole_days(row.author_account_creation, row.tweet_timestamp));
}

void fill_fine_ages(const Row& row, std::span<double, kFineAgeNumerics> ages) noexcept {
  ages[0] = age_in_seconds(row.reader_account_creation, row.tweet_timestamp);
  ages[1] = age_in_seconds(row.author_account_creation, row.tweet_timestamp);
}

uint64_t row_flags(const Row& row) noexcept {
  const bool flags[kRowFlags] = {row.engagee_follows_engager,
                                 row.author_is_verified,
                                 row.reader_is_verified,
                                 !row.hashtags.empty(),
                                 row.has_gif,
                                 row.has_photo,
                                 row.has_video,
                                 row.link_count > 0,
                                 row.domain_count > 0,
                                 row.tweet_type == TweetType::quote,
                                 row.tweet_type == TweetType::retweet,
                                 row.tweet_type == TweetType::top_level};
  uint64_t bits = 0;
  for (size_t i = 0; i < kRowFlags; ++i) bits |= static_cast<uint64_t>(flags[i]) << i;
  return bits;
}

void look_up(const Row& row, const formats::HistoryFile& history, bool shown,
             RowFeatures& features) noexcept {
  const std::span<double, kHistoryValues> values(features.numerics.data(), kHistoryValues);
  if (shown) {
    history_values(
        row, {.history = &history}, values,
        std::span<double, kShownValues>(features.numerics.data() + kFirstShownNumeric, kShownValues));
  } else {
    history_values(row, {.history = &history}, values);
  }
}

void add_own_features(const Row& row, const Communities* communities, RowFeatures& features) noexcept {
  fill_counts_and_ages(row, features.numerics.data());
  fill_fine_ages(
      row, std::span<double, kFineAgeNumerics>(features.numerics.data() + kFirstFineAge, kFineAgeNumerics));
  features.flags = row_flags(row);
  features.hour = static_cast<uint32_t>(row.tweet_timestamp % kDaySeconds / 3'600);
  features.day = day_of_month(row.tweet_timestamp) - 1;
  if (communities != nullptr) add_communities(*communities, features);
}

RowFeatures row_features(const Row& row, const formats::HistoryFile& history, const Communities* communities,
                         bool shown) noexcept {
  RowFeatures features{};
  look_up(row, history, shown, features);
  add_own_features(row, communities, features);
  return features;
}

}  // namespace kinglet::features
