#pragma once

#include <chrono>
#include <filesystem>
#include <vector>

#include "kinglet/formats/progress.h"
#include "kinglet/train/settings.h"

#include "batch_maker.h"
#include "checkpoint.h"
#include "dataset.h"
#include "network.h"
#include "optimiser.h"
#include "schedule.h"

namespace kinglet::train {

/// What the trainer works on and where it keeps its checkpoint.
struct TrainerOptions {
  Settings settings;
  Identity identity;
  std::filesystem::path checkpoint;
  std::chrono::duration<double> checkpoint_every{300};
  ProgressFn progress;
};

/// Runs the schedule, from the beginning or from a checkpoint. One thread at a time.
class Trainer {
 public:
  /// All must outlive the trainer. The network has its initial weights.
  Trainer(const TrainerOptions& options, const Dataset& dataset, const TokenTable& tokens, Network& network);

  /// Takes up the checkpoint if there is one. Throws Error if it is damaged or of another training.
  bool resume();
  /// Trains to the end of the schedule, with a checkpoint now and then, at the end and, if progress throws
  /// Interrupted, then. Throws Error if the loss is no number: what checkpoint there was is left alone.
  void run();

  const std::vector<Pass>& passes() const noexcept { return passes_; }
  /// Mean loss of each pass, over its rows.
  const std::vector<double>& losses() const noexcept { return position_.pass_losses; }

 private:
  void run_pass();
  /// Settings::half_life: the weight of each training row, scaled to a mean of 1; empty where rows count
  /// alike.
  std::vector<double> weights_by_age() const;
  void step(const std::vector<uint32_t>& order, Batch& batch);
  void report() const;
  void save();
  [[noreturn]] void fail_at_loss() const;

  const TrainerOptions& options_;
  const Dataset& dataset_;
  Network& network_;
  Optimiser optimiser_;
  BatchMaker maker_;
  std::vector<Pass> passes_;
  std::vector<double> train_weights_;
  Position position_;
  uint64_t first_row_ = 0;  // of the pass that this process began with
  std::chrono::steady_clock::time_point saved_;
};

}  // namespace kinglet::train
