#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kinglet/train/settings.h"

#include "batch.h"
#include "plain_inputs.h"
#include "row_cache.h"
#include "shape.h"
#include "token_table.h"

namespace kinglet::train {

/// A share of the inputs, the embeddings' left alone, is set to 0 in each row and the others are scaled up
/// for it.
struct InputDropout {
  double share = 0;
  uint64_t seed = 0;
  uint64_t stream = 0;  // another one for each batch
};

/// Cached rows -> what the network takes. Not thread-safe; works on oneDNN's threads.
class BatchMaker {
 public:
  /// `tokens` must outlive the maker.
  BatchMaker(const TokenTable& tokens, const FeatureSet& set, const FeatureGroups& groups);

  const PlainInputs& plain() const noexcept { return plain_; }

  void fill(const RowCache& cache, std::span<const uint32_t> rows, const InputDropout& dropout, Batch& batch);

 private:
  /// One row's sketch, as a list of inputs with their values.
  struct SketchRow {
    std::vector<uint32_t> inputs;
    std::vector<float> values;
    std::vector<uint32_t> places;  // by code within a depth: 1 + index in `inputs`; all 0 between depths
    std::vector<double> sums;      // of vectors, by dimension
  };
  /// A row's text: its sketch, or as many inputs as its tokens' vectors have dimensions.
  void text(std::span<const uint32_t> tokens, SketchRow& row) const;
  void sketch(std::span<const uint32_t> tokens, SketchRow& row) const;
  void token_mean(std::span<const uint32_t> tokens, SketchRow& row) const;
  void normalise(SketchRow& row, size_t first, double squares) const;

  const TokenTable& tokens_;
  PlainInputs plain_;
  fbs::SketchNorm norm_;
  bool text_;
  std::vector<SketchRow> sketches_;
};

}  // namespace kinglet::train
