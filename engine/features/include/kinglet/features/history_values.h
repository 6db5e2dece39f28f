#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kinglet/formats/history_file.h"
#include "kinglet/formats/row.h"

namespace kinglet::features {

/// The history's share of the network's numeric input (spec section 3.2): train 25, valid 24, valid with the
/// roles swapped and none 16.
inline constexpr size_t kHistoryValues = 65;
/// What the paper leaves out of the train history: tweet x4, then none of pair, author, reader and tweet.
inline constexpr size_t kShownValues = 8;

/// What a row may see. A row to be scored sees all of both histories: `own` stays null. A row that is itself
/// in a history does not see its own part (spec section 2): `own` then holds that history's counters under
/// the keys part_fingerprint(key, part), and they are taken off.
struct HistorySource {
  const formats::HistoryFile* history = nullptr;  // not null; must outlive the calls
  const formats::HistoryFile* own = nullptr;
  formats::HistoryPart own_history = formats::HistoryPart::train;  // the history the row is in
  int64_t own_part = 0;                                            // its day (since 1970) or its chunk
  bool valid_visible = true;  // false: the valid history counts as empty, being later than the row
};

/// Writes the row's 65 values in the order of spec section 3.2. A hashtag that a row lists twice is added
/// twice, like every item of the list; in the counters it counts once, as they count rows. The sums over
/// similar authors run from the highest similarity down. Allocates nothing, reads about 20 + 2 x hashtags
/// keys, all located and prefetched in batches before the first is read; the same bits on every CPU.
/// Thread-safe.
void history_values(const Row& row, const HistorySource& source,
                    std::span<double, kHistoryValues> values) noexcept;
/// The same, and the values that the paper leaves out.
void history_values(const Row& row, const HistorySource& source, std::span<double, kHistoryValues> values,
                    std::span<double, kShownValues> shown) noexcept;

}  // namespace kinglet::features
