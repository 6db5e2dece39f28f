#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "kinglet/converter/convert.h"
#include "kinglet/formats/progress.h"
#include "kinglet/model.h"
#include "kinglet/request.h"
#include "kinglet/session.h"

#include "first_layer_table.h"
#include "fold_skeleton.h"
#include "layout_builder.h"
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

/// Rows as requests, and what tells these rows from others.
struct CalibrationRows {
  std::vector<StoredRequest> requests;
  /// Of the rows' text, a newline behind each: however they are split into files or compressed.
  uint64_t bytes = 0;
  formats::Checksum checksum{};
};

/// The first options.maximum_rows rows as requests to `model`. Throws Error where a row cannot be read or the
/// model cannot take it.
CalibrationRows read_rows(const Model& model, const CalibrationOptions& options, const ProgressFn& progress);

/// The values other than 0 that most requests have, feature by feature, as many as `budget` bytes hold rows
/// of `row_bytes`; values of a single request are left out. The same requests give the same choice.
FrequentValues frequent_values(const std::vector<StoredRequest>& requests, size_t numerics, uint64_t budget,
                               uint64_t row_bytes);

/// The tokens with codes that stand most often in the requests, as many as `budget` bytes hold rows of
/// `row_bytes`.
std::vector<FrequentToken> frequent_tokens(const std::vector<StoredRequest>& requests,
                                           std::span<const uint16_t> codes, TextShape sketch, uint64_t budget,
                                           uint64_t row_bytes);

/// The rows of flags, embeddings (of so many `categories`) and frequent values, in this order, that requests
/// add.
ActiveRowSets once_rows(const std::vector<StoredRequest>& requests, size_t flags,
                        std::span<const uint64_t> categories, const FrequentValues& frequent);

/// How often each of `vocabulary` tokens stands in the requests, and a little for those that do not.
std::vector<double> token_weights(const std::vector<StoredRequest>& requests, size_t vocabulary);

/// How the first three hidden layers' units behave on the requests.
struct Sides {
  UsualSides usual;
  std::array<double, kFoldable> flips{};  // units off their usual side, a request
};
Sides find_sides(const Model& reference, const std::vector<StoredRequest>& requests,
                 const ProgressFn& progress);

/// Active rows a request: those of the sketch, and those of all other features, a mean's among them.
struct ActiveRows {
  double sketch = 0;
  double tokens = 0;    // rows of whole tokens
  double encoded = 0;   // of numbers' encoded values
  double features = 0;  // of flags, embeddings and frequent values
  double means = 0;     // of the tokens' mean
};
ActiveRows count_active_rows(const std::vector<StoredRequest>& requests, const Frequent& frequent,
                             std::span<const uint16_t> codes, const TextShape& text, size_t encoded_values);

/// What the sketch's rows have in the blocks of so many folded layers, where that is s4: 1 bit if units are
/// seldom off their usual side, so that all but a few are far from it; else 4.
uint32_t choose_side_bits(const Sides& sides, size_t layers, uint64_t hidden);

/// How many layers to fold, so that a request reads the fewest bytes of rows, columns and dense weights,
/// those of rows and columns counted `scattered_cost` times. `side_bits`: else choose_side_bits.
size_t choose_layers(const Sides& sides, const ActiveRows& rows, const NarrowTypes& types, uint64_t hidden,
                     std::optional<uint32_t> side_bits, double scattered_cost);

/// What a request would read in the plan without folded layers, by what it reads in one that has some.
struct DenseBytes {
  double row_share = 1;     // a row's length there
  double sketch_share = 1;  // and that of one of the sketch
  uint64_t layers = 0;      // weights of the layers that are folded here
  uint64_t of(const BytesRead& folded) const;
};

/// What `model` makes of the requests beside `reference`, the same network in fp32 as fold_dense_f32 folds
/// it.
CalibrationReport compare(const Model& model, const Model& reference, const Network& network,
                          const DenseBytes& dense, const std::vector<StoredRequest>& requests,
                          const ProgressFn& progress);

}  // namespace kinglet::converter
