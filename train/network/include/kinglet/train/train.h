#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kinglet/formats/progress.h"
#include "kinglet/train/settings.h"

namespace kinglet::train {

struct TrainOptions {
  std::vector<std::filesystem::path> train;
  std::vector<std::filesystem::path> valid;  // may be empty: stage 1 alone
  /// Either a codebook, whose codes the network reads as sketches, or token vectors
  /// (converter::read_token_vectors), whose mean it reads instead.
  std::filesystem::path codebook;
  std::filesystem::path vectors;
  std::filesystem::path output;  // a folder, made if it is missing
  Settings settings;
  /// Weights to start from, with the languages of their embedding rows (empty: languages.json beside them).
  std::optional<std::filesystem::path> initial;
  std::filesystem::path initial_languages;
  /// Longest time between two checkpoints; 0: one after each batch.
  double checkpoint_seconds = 300;
  uint64_t memory_bytes = uint64_t{1} << 30;  // for the history's counters
  uint32_t bootstrap = 1'000;                 // replicates for the report's intervals; 0: none
  ProgressFn progress;
};

/// One time through some rows.
struct PassReport {
  std::string name;
  uint64_t rows = 0;
  double loss = 0;  // mean over rows and outputs, before each batch's step
};

struct TrainReport {
  bool resumed = false;
  uint64_t train_rows = 0;
  uint64_t valid_rows = 0;
  uint64_t held_out_rows = 0;
  uint64_t languages = 0;
  uint64_t parameters = 0;
  std::vector<PassReport> passes;
  std::vector<std::string> notes;
};

/// The whole of spec section 7: counts, encodes, trains, converts, measures. Writes into the output folder
///   history.kinglet    all of both histories, for scoring
///   languages.json     language -> embedding row
///   token_vectors.safetensors  where a mean is read: the vectors as it is taken of, standardised
///   weights.safetensors  state dict of spec section 6
///   model.kinglet      the model file
///   report.json        settings, fingerprints, losses, metrics on the held-out validation rows
///   checkpoint.kgl     while it lasts: where an interrupted run goes on, to the same bits. Removed at the
///   end
/// The same rows, settings and CPU give the same weights. Throws Error and Interrupted; checkpoints
/// and results of earlier runs then stay as they are.
TrainReport train(const TrainOptions& options);

}  // namespace kinglet::train
