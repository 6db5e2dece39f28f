#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kinglet/train/settings.h"

#include "batch.h"
#include "codebook.h"
#include "row_cache.h"
#include "shape.h"

namespace kinglet::train {

/// Encoded values of a numeric feature (spec section 3): 8 sines, then 8 cosines.
inline constexpr size_t kEncoded = 16;

/// The inputs of each group among the plain inputs, and the embeddings.
bool plain_input_is_on(const FeatureGroups& groups, size_t plain_input) noexcept;
bool embedding_is_on(const FeatureGroups& groups) noexcept;

/// Cached rows -> what the network takes. Not thread-safe; works on oneDNN's threads.
class BatchMaker {
 public:
  /// `codebook` must outlive the maker.
  BatchMaker(const Codebook& codebook, const FeatureGroups& groups);

  /// Plain inputs: 73 x 16 encoded values and 12 flags.
  static uint32_t plain_inputs() noexcept;

  void fill(const RowCache& cache, std::span<const uint32_t> rows, Batch& batch);

 private:
  /// One row's sketch, as a list of inputs with their values.
  struct SketchRow {
    std::vector<uint32_t> inputs;
    std::vector<float> values;
    std::vector<uint32_t> places;  // by code within a depth: 1 + index in `inputs`; all 0 between depths
  };
  void sketch(std::span<const uint32_t> tokens, SketchRow& row) const;
  void plain(const CachedRow& row, float* out) const;

  const Codebook& codebook_;
  FeatureGroups groups_;
  std::vector<float> zeros_;  // the plain inputs of a row whose numerics are all 0 and flags all unset
  std::vector<uint8_t> numeric_on_;
  uint64_t flags_on_ = 0;
  std::vector<SketchRow> sketches_;
};

}  // namespace kinglet::train
