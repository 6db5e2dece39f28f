#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kinglet/formats/progress.h"

namespace kinglet::converter {

/// Which rows of a table each of some requests adds, once each.
struct ActiveRowSets {
  std::vector<uint32_t> rows;  // of all requests, one behind the other
  std::vector<size_t> ends;    // where each one's end
};

/// Rows in 8 bits.
struct ByteRows {
  std::vector<int8_t> units;  // [rows][columns], -127 to 127
  std::vector<double> scale;  // what one unit of a column is, floats
  std::vector<double> bias;   // [columns]: what the requests' sums lack in the mean
};

/// Rounds `values`, [rows][columns], so that what the requests add up stays nearly what it was, rather than
/// each row by itself: row after row, the most frequent first, each to the nearest of what it should be and
/// what those before it have left for it, by least squares over the requests (Babai's nearest plane, known
/// for weights of networks as GPTQ); what is left at last is the bias's. A column's unit is its largest
/// magnitude over 127. Rows beyond the kDiffusedRows most frequent ones are rounded by themselves. Without
/// requests all are, and the bias is 0. Deterministic.
ByteRows round_once_rows(std::span<const double> values, uint64_t columns, const ActiveRowSets& requests,
                         const ProgressFn& progress);

}  // namespace kinglet::converter
