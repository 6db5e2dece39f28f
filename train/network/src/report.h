#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

#include "kinglet/formats/progress.h"
#include "kinglet/train/train.h"

#include "checkpoint.h"
#include "dataset.h"
#include "trainer.h"

namespace kinglet::train {

/// Scores the held-out validation rows with the finished model as `kinglet score` would and measures AP and
/// RCE, with intervals by bootstrap over tweets. Null if no row was held out.
nlohmann::ordered_json measure_held_out(const TrainOptions& options, const std::filesystem::path& model,
                                        const std::filesystem::path& history);

/// Everything about a training but clock time: the same run gives the same bytes.
nlohmann::ordered_json make_report(const Identity& identity, const Dataset& dataset,
                                   const TrainReport& report);

}  // namespace kinglet::train
