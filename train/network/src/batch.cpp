#include "batch.h"

namespace kinglet::train {

void SketchBatch::clear() {
  row_start.assign(1, 0);
  inputs.clear();
  values.clear();
}

void Batch::resize(size_t rows) {
  sketch.clear();
  dense.resize(rows * shape.dense());
  categories.resize(rows);
  labels.resize(rows);
  weights.clear();
}

}  // namespace kinglet::train
