#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "kinglet/formats/row.h"

namespace kinglet::metrics {

/// The least that a model must beat: the author's reaction rate in the training rows, drawn towards the
/// overall rate as if kPriorRows rows of it had been seen: (positives of the author + kPriorRows x rate) /
/// (rows of the author + kPriorRows). About 64 bytes an author. Not thread-safe while rows are added.
class PopularityBaseline {
 public:
  static constexpr double kPriorRows = 20;

  PopularityBaseline();
  PopularityBaseline(PopularityBaseline&&) noexcept;
  PopularityBaseline& operator=(PopularityBaseline&&) noexcept;
  ~PopularityBaseline();

  /// Throws Error for a row without labels.
  void add(const Row& row);
  /// Indexed by Reaction. Throws Error if no row was added.
  std::array<float, kReactions> probabilities(const Row& row) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kinglet::metrics
