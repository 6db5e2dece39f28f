#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kinglet/feature_names.h"
#include "kinglet/features/history_values.h"
#include "kinglet/formats/history_file.h"
#include "kinglet/formats/row.h"
#include "kinglet/request.h"

namespace kinglet::features {

inline constexpr size_t kFirstShownNumeric = kRowNumerics + kCommunityNumerics;
inline constexpr size_t kFirstFineAge = kFirstShownNumeric + kShownNumerics;
static_assert(kShownNumerics == kShownValues);

/// Every feature of a row but the sketch and the language, in the order of numeric_names() and flag_names().
struct RowFeatures {
  std::array<double, kAllNumerics> numerics;
  uint64_t flags;
  uint32_t hour;  // of the tweet's time, UTC
  uint32_t day;   // of the month, minus 1
};

/// Spec section 3. `communities` null: the community features are 0. `shown` false: the kShownNumerics are 0,
/// and their counters are not looked up. Allocates nothing.
RowFeatures row_features(const Row& row, const formats::HistoryFile& history, const Communities* communities,
                         bool shown) noexcept;

/// The two halves of row_features, in this order, of features that were zeros: what the history knows, and
/// the rest.
void look_up(const Row& row, const formats::HistoryFile& history, bool shown, RowFeatures& features) noexcept;
void add_own_features(const Row& row, const Communities* communities, RowFeatures& features) noexcept;

/// The features that need no history, written behind the kHistoryValues history values.
void fill_counts_and_ages(const Row& row, double* numerics) noexcept;
/// The reader's and the author's age in seconds at the tweet's time, at most 2^36 either way.
void fill_fine_ages(const Row& row, std::span<double, kFineAgeNumerics> ages) noexcept;
uint64_t row_flags(const Row& row) noexcept;
/// Whole days from `creation` to `time`, rounded down (negative where the account is younger than the tweet).
int64_t whole_days(int64_t creation, int64_t time) noexcept;
/// Day of the month (1..31) of Unix time `seconds` >= 0, UTC.
uint32_t day_of_month(int64_t seconds) noexcept;

}  // namespace kinglet::features
