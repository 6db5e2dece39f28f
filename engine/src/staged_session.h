#pragma once

#include <cstddef>

#include "kinglet/features/row_features.h"
#include "kinglet/formats/history_file.h"
#include "kinglet/formats/row.h"
#include "kinglet/model.h"
#include "kinglet/request.h"

#include "arena.h"
#include "first_layer.h"
#include "layers.h"
#include "row_request.h"

namespace kinglet {

/// Session::score of a row cut into its stages, for who measures each by itself (`kinglet bench`): to be
/// called in this order, the same bits at the end. The model must be one that scores rows without
/// communities, and nothing is checked. As a Session: one thread's, and no stage allocates.
class StagedSession {
 public:
  explicit StagedSession(Model model);

  /// The history's counters for the row.
  void look_up(const Row& row, const formats::HistoryFile& history) noexcept;
  /// All other features; a request. `row` must outlive first_layer().
  void make_request(const Row& row) noexcept;
  /// The sketch, the numbers' encodings, and the sum of all active rows.
  void first_layer() noexcept;
  /// The steps of the plan before the one that makes the logits.
  void hidden() noexcept;
  /// That one and what follows it, and the probabilities.
  void output(Scores& scores) noexcept;

 private:
  Model model_;
  const ModelImpl& impl_;
  Arena arena_;
  FirstLayer first_layer_;
  Layers layers_;
  RowRequest row_request_;
  size_t hidden_steps_;
  features::RowFeatures features_{};
  Request request_;
};

}  // namespace kinglet
