#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kinglet/formats/progress.h"
#include "kinglet/metrics/evaluated_rows.h"

/// How much the metrics would vary with other tweets. The rows of one tweet depend on each other, so whole
/// tweets are drawn, with replacement, as many as there are.
namespace kinglet::metrics {

struct BootstrapOptions {
  uint32_t replicates = 1'000;
  uint64_t seed = 1;
  ProgressFn progress;
};

/// One reaction's metrics in each replicate, in order; NaN in a replicate where all rows were positive or
/// none was.
struct ReactionReplicates {
  std::vector<double> average_precision;
  std::vector<double> relative_cross_entropy;  // percent
};

/// Indexed by Reaction. Replicate i of one seed draws the same tweets for every predictor, so that two
/// predictors can be compared pair by pair (interval_95_of_difference). Takes 16 bytes a row and 100 a tweet.
/// Throws Error as evaluate(), and Interrupted.
std::array<ReactionReplicates, kReactions> bootstrap(const EvaluatedRows& rows,
                                                     const Probabilities& probabilities,
                                                     const BootstrapOptions& options);

struct Interval {
  double low = 0;
  double high = 0;
};

/// The 2.5 and 97.5 percentiles of the values that are not NaN, linear between two ranks; nothing if fewer
/// than 2 are left.
std::optional<Interval> interval_95(std::span<const double> values);

/// The same of a - b, pair by pair. The arrays have one length.
std::optional<Interval> interval_95_of_difference(std::span<const double> a, std::span<const double> b);

}  // namespace kinglet::metrics
