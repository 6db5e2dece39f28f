#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "shape.h"

namespace kinglet::train {

/// The sketches of a batch as lists of their non-zero inputs, row by row.
struct SketchBatch {
  std::vector<uint32_t> row_start{0};  // rows + 1 places in `inputs` and `values`
  std::vector<uint32_t> inputs;        // distinct within a row
  std::vector<float> values;

  size_t rows() const noexcept { return row_start.size() - 1; }
  void clear();
  /// Ends the row whose entries were appended to `inputs` and `values`.
  void end_row() { row_start.push_back(static_cast<uint32_t>(inputs.size())); }
};

/// Rows as the network takes them. Filled by its maker and used again for the next batch.
struct Batch {
  explicit Batch(const NetworkShape& sizes) : shape(sizes) {}

  NetworkShape shape;
  SketchBatch sketch;
  /// [rows][shape.dense()]: the plain inputs, then room that the network fills with the rows' embeddings.
  std::vector<float> dense;
  std::vector<std::array<uint32_t, 3>> categories;  // language, hour, day of the month minus 1
  std::vector<std::array<float, 4>> labels;         // in the order of Target: 1 or 0
  std::vector<double> weights;                      // of the rows in the loss; empty: 1 each

  size_t rows() const noexcept { return labels.size(); }
  void resize(size_t rows);
  float* plain(size_t row) noexcept { return dense.data() + row * shape.dense(); }
};

}  // namespace kinglet::train
