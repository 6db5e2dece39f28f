#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kinglet/train/settings.h"

#include "row_cache.h"

namespace kinglet::train {

/// One time through some rows in a new order.
struct Pass {
  std::string name;            // "stage 1, epoch 1 of 2"
  bool valid = false;          // over the validation rows
  std::optional<int64_t> day;  // only the training rows of this day
  uint64_t rows = 0;
  uint64_t steps = 0;
  bool restart = false;  // a new optimiser
  double rate = 0;       // at the stage's start
  /// Steps of the stage before this pass and in all; 0 in all: the rate stays.
  uint64_t stage_offset = 0;
  uint64_t stage_steps = 0;

  double rate_at(uint64_t step) const noexcept;
};

/// Batches that `rows` rows make: the last may be smaller, but one row alone is left out, as it has no
/// variance.
uint64_t steps_of(uint64_t rows, uint64_t batch) noexcept;

/// Every pass of both stages, in order. `valid` may have no rows.
std::vector<Pass> make_schedule(const Settings& settings, const RowCache& train, const RowCache& valid);

/// The rows of a pass in the order of its batches: the same for the same seed and `index` of the pass.
std::vector<uint32_t> shuffled_rows(const Pass& pass, const RowCache& cache, uint64_t seed, uint64_t index);

}  // namespace kinglet::train
