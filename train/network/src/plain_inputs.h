#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kinglet/feature_names.h"
#include "kinglet/feature_set.h"
#include "kinglet/train/settings.h"

#include "row_cache.h"

namespace kinglet::train {

/// The inputs between the sketch and the embeddings: encoded numeric features, then flags. Those of groups
/// that are off are 0. Immutable.
class PlainInputs {
 public:
  PlainInputs(const FeatureSet& set, const FeatureGroups& groups);

  uint32_t size() const noexcept { return static_cast<uint32_t>(zeros_.size()); }
  bool is_on(size_t input) const noexcept { return on_[input] != 0; }
  /// out[size()] of a cached row.
  void fill(const CachedRow& row, float* out) const;

 private:
  features::Encoding encoding_;
  std::array<int32_t, kAllNumerics> place_{};  // first input of each numeric feature; -1: not read
  std::vector<uint8_t> on_;                    // by input
  std::vector<float> zeros_;  // the inputs of a row whose numerics are all 0, flags all unset
  size_t first_flag_ = 0;
  size_t flag_count_ = 0;
  uint64_t flags_on_ = 0;
};

/// Whether embedding `i` (language, hour, day) is read.
bool embedding_is_on(const FeatureGroups& groups, size_t i) noexcept;

}  // namespace kinglet::train
