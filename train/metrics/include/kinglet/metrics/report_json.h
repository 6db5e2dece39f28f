#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "kinglet/metrics/bootstrap.h"
#include "kinglet/metrics/evaluation.h"

namespace kinglet::metrics {

/// The reactions as JSON and tables name them.
std::string_view reaction_name(Reaction reaction) noexcept;

/// Why a reaction has no metrics: "no positives", "no negatives"; empty if it has some.
std::string_view missing_note(const ReactionResult& result) noexcept;

/// {"all": {"like": {"rows", "positives", "average_precision", "relative_cross_entropy"} ..},
/// "author_groups": [..], "author_group_mean": {..}, "languages": [..]}. A reaction without metrics has a
/// "note" in their place. docs/metrics.md
nlohmann::ordered_json report_json(const Report& report);

/// {"like": {"average_precision": [low, high], "relative_cross_entropy": [low, high]} ..}; a reaction that
/// was not measurable in two replicates at least is left out.
nlohmann::ordered_json intervals_json(const std::array<ReactionReplicates, kReactions>& replicates);

/// {"like": {"average_precision": a - b, "relative_cross_entropy": a - b} ..}; a reaction without metrics is
/// left out.
nlohmann::ordered_json differences_json(const Results& a, const Results& b);

/// intervals_json() of a - b, pair by pair.
nlohmann::ordered_json difference_intervals_json(const std::array<ReactionReplicates, kReactions>& a,
                                                 const std::array<ReactionReplicates, kReactions>& b);

}  // namespace kinglet::metrics
