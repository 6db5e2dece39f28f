#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kinglet/features/encoding.h"
#include "kinglet/formats/model_file.h"

namespace kinglet {

/// What a network reads beside flags and embeddings, and how: the paper's choice by default (spec section 3).
/// The converter writes it into the model file, the trainer encodes its rows by it.
struct FeatureSet {
  bool communities = false;  // kCommunityNumerics and kCommunityFlags more
  bool shown = false;        // kShownNumerics more: the train history's counters that the paper leaves out
  features::EncodingKind encoding = features::EncodingKind::fourier;
  fbs::SketchNorm sketch_norm = fbs::SketchNorm::row;

  /// Indices into numeric_names(), in the network's input order.
  std::vector<size_t> numerics() const;
  /// The first flag_count() of flag_names().
  size_t flag_count() const noexcept;
  features::Encoding numeric_encoding() const;
  /// Inputs between the sketch and the embeddings.
  size_t plain_inputs() const;
  /// The layout's name: "recsys2021", "recsys2021-communities-shown-log_steps-tweet_norm".
  std::string name() const;

  friend bool operator==(const FeatureSet&, const FeatureSet&) = default;
};

}  // namespace kinglet
