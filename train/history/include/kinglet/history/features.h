#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "kinglet/formats/progress.h"

namespace kinglet::history {

/// Rows with the same use: training rows, validation rows used for training, validation rows held out.
enum class Split : uint8_t { train, valid, holdout };

struct FeatureOptions {
  std::vector<std::filesystem::path> train;
  std::vector<std::filesystem::path> valid;  // may be empty, unless its rows are asked for
  uint64_t holdout_every = 10;
  Split split = Split::train;
  /// As for building a history. The counters are then read from mapped temporary files beside the output,
  /// whose pages the system may drop.
  uint64_t memory_bytes = uint64_t{1} << 30;
  ProgressFn progress;
};

/// Writes what the network would see of each row's history (spec sections 2 and 3.2), a line a row, in row
/// order: split, part (day dd-mm-yy, chunk, or -), tweet id, reader id, then 65 values as %.17g,
/// tab-separated. Returns the number of lines. Throws Error and Interrupted; leaves no partial output.
uint64_t write_history_features(const FeatureOptions& options, const std::filesystem::path& output);

}  // namespace kinglet::history
