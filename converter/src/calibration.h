#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "kinglet/converter/convert.h"
#include "kinglet/formats/progress.h"
#include "kinglet/model.h"
#include "kinglet/request.h"

#include "first_layer_table.h"
#include "network.h"

namespace kinglet::converter {

/// A request with memory of its own.
struct StoredRequest {
  std::vector<uint32_t> tokens;
  std::vector<double> numerics;
  uint64_t flags = 0;
  std::vector<uint32_t> categories;

  Request request() const { return {tokens, numerics, flags, categories}; }
};

/// The first options.calibrate_rows rows as requests to `model`. Throws Error where a row cannot be read or
/// the model cannot take it.
std::vector<StoredRequest> read_requests(const Model& model, const CalibrationOptions& options,
                                         const ProgressFn& progress);

/// The values other than 0 that most requests have, feature by feature, as many as `budget` bytes hold rows
/// of `row_bytes`; values of a single request are left out. The same requests give the same choice.
FrequentValues frequent_values(const std::vector<StoredRequest>& requests, size_t numerics, uint64_t budget,
                               uint64_t row_bytes);

/// What `model` makes of the requests beside `reference`, the same network in fp32 as fold_dense_f32 folds
/// it.
CalibrationReport compare(const Model& model, const Model& reference, const Network& network,
                          const std::vector<StoredRequest>& requests, const ProgressFn& progress);

}  // namespace kinglet::converter
