#pragma once

#include <optional>

#include <nlohmann/json.hpp>

#include "kinglet/converter/convert.h"
#include "kinglet/formats/progress.h"
#include "kinglet/metrics/evaluation.h"

namespace kinglet::cli {

/// The calibration rows' metrics by the fp32 network and by the converted one; indexed by Reaction.
struct CalibrationMetrics {
  metrics::Results before;
  metrics::Results after;
};

/// Reads the calibration rows once more for their labels. Nothing where a row has none.
std::optional<CalibrationMetrics> measure_calibration(const converter::CalibrationOptions& options,
                                                      const converter::CalibrationReport& report,
                                                      const ProgressFn& progress);

nlohmann::ordered_json calibration_json(const converter::CalibrationReport& report,
                                        const std::optional<CalibrationMetrics>& metrics);
/// Tables; and a line that warns where a reaction loses more than a precision should cost.
void print_calibration(const converter::CalibrationReport& report,
                       const std::optional<CalibrationMetrics>& metrics, converter::Precision precision);

}  // namespace kinglet::cli
