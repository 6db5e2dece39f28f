#pragma once

#include "kinglet/metrics/evaluated_rows.h"

namespace kinglet::metrics {

/// Throws Error if there is no row, or not one probability a row.
void check_rows(const EvaluatedRows& rows, const Probabilities& probabilities);

}  // namespace kinglet::metrics
