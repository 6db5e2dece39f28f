#pragma once

#include <array>
#include <cstdint>
#include <filesystem>

#include "kinglet/formats/progress.h"
#include "kinglet/metrics/evaluation.h"
#include "kinglet/simulate/world.h"

namespace kinglet::simulate {

struct SimulateOptions {
  WorldOptions world;
  /// A part file holds at most so many rows: 250,000 take about 150 MB.
  uint64_t part_rows = 250'000;
  ProgressFn progress;
};

struct SplitReport {
  uint64_t rows = 0;
  uint64_t parts = 0;
  uint64_t bytes = 0;  // of the rows
  /// The metrics of the true probabilities: what a perfect model would reach. AP within 1e-3
  /// (metrics::StreamingMetrics).
  metrics::Results truth;
};

struct SimulateReport {
  WorldOptions world;  // as used
  SplitReport train;
  SplitReport valid;
};

/// Writes FOLDER/train/part-NNNNN, FOLDER/valid/part-NNNNN and, with a scores file for each,
/// FOLDER/truth/train/part-NNNNN and FOLDER/truth/valid/part-NNNNN. The folder must be missing or empty; it
/// appears complete or not at all. Throws Error, and Interrupted from the progress callback.
SimulateReport simulate(const SimulateOptions& options, const std::filesystem::path& folder);

}  // namespace kinglet::simulate
