#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "kinglet/formats/history_file.h"
#include "kinglet/formats/progress.h"
#include "kinglet/formats/row.h"

namespace kinglet::history {

/// Days since 1970-01-01 of a row's time in UTC (spec section 1), which is a training row's part.
int64_t day_of(const Row& row) noexcept;

/// Where a validation row goes (spec section 2).
struct ValidPlace {
  bool held_out;
  int64_t chunk;  // 0 to 9; without meaning for a row held out
};
/// `index` is the row's number from 0 over all parts; `holdout_every` 0 holds out none.
ValidPlace valid_place(uint64_t index, uint64_t holdout_every) noexcept;

/// Days since 1970-01-01 of the tweet's time in UTC: when the row was shown.
int64_t day_shown(const Row& row) noexcept;

/// The days from `first_day` to `last_day` cut into `count` periods of equal length, or a day each where
/// there are fewer days.
struct Periods {
  int64_t first_day;
  int64_t last_day;
  uint32_t count;

  /// Period of a day, 0 to count - 1; days outside belong to the first or the last.
  int64_t of(int64_t day) const noexcept;
};

/// A second file that holds one history's counters by part, under part_fingerprint(key, part): what a row of
/// that history must not see (HistorySource::own).
struct OwnParts {
  formats::HistoryPart history;
  std::filesystem::path output;
  /// Training rows alone: part p holds the rows of period p and of all later ones, so that a row that does
  /// not see the part of the period it was shown in sees nothing later. Costs temporary space for each row
  /// once a period.
  std::optional<Periods> periods;
};

struct BuildOptions {
  uint64_t holdout_every = 10;
  /// What the build may hold in memory, at least kMinMemory. Counters and followers spill to unnamed
  /// temporary files beside the output. The bytes of the result do not depend on it.
  uint64_t memory_bytes = uint64_t{1} << 30;
  std::optional<OwnParts> own_parts;
  ProgressFn progress;
};
inline constexpr uint64_t kMinMemory = uint64_t{1} << 20;

struct BuildReport {
  formats::HistoryInfo info;
  uint64_t train_keys = 0;
  uint64_t valid_keys = 0;
  uint64_t authors_with_similar = 0;
  uint64_t file_bytes = 0;
  uint64_t spilled_bytes = 0;
};

/// Builds a history file from rows that are pushed in: all training rows, then all validation rows, each in
/// order. Temporary files have no name, so that nothing stays behind on any way out; the output appears
/// whole, at finish(). Throws Error (a full disk, too little memory for the similar authors), Interrupted
/// (from the progress callback) and std::logic_error (a training row after a validation row). Not
/// thread-safe.
class HistoryBuilder {
 public:
  HistoryBuilder(std::filesystem::path output, BuildOptions options);
  ~HistoryBuilder();

  void add_train(const Row& row);
  /// Rows held out count towards the numbering and enter no history.
  void add_valid(const Row& row);
  BuildReport finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads the rows of files or folders of parts (RowReader) and builds a history file. All rows need labels.
/// `valid` may be empty.
BuildReport build_history(const std::vector<std::filesystem::path>& train,
                          const std::vector<std::filesystem::path>& valid,
                          const std::filesystem::path& output, BuildOptions options);

}  // namespace kinglet::history
