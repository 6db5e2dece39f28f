#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kinglet/features/encoding.h"
#include "kinglet/formats/model_file.h"

namespace kinglet {

/// What a network reads of a tweet's text: counts of the tokens' codes, or the mean of the tokens' vectors
/// (the paper's ablation).
enum class TextInput : uint8_t { sketch, token_mean };

/// What a network reads beside flags and embeddings, and how: the paper's choice by default (spec section 3).
/// The converter writes it into the model file, the trainer encodes its rows by it.
struct FeatureSet {
  bool communities = false;  // kCommunityNumerics and kCommunityFlags more
  bool shown = false;        // kShownNumerics more: the train history's counters that the paper leaves out
  bool fine_ages = false;    // kFineAgeNumerics more: the accounts' ages in seconds, beside those in days
  features::EncodingKind encoding = features::EncodingKind::fourier;
  fbs::SketchNorm sketch_norm = fbs::SketchNorm::row;
  TextInput text = TextInput::sketch;

  /// Indices into numeric_names(), in the network's input order.
  std::vector<size_t> numerics() const;
  /// The first flag_count() of flag_names().
  size_t flag_count() const noexcept;
  features::Encoding numeric_encoding() const;
  /// Inputs between the text's and the embeddings.
  size_t plain_inputs() const;
  /// The layout's name: "recsys2021", "recsys2021-communities-shown-fine_ages-log_steps-tweet_norm",
  /// "recsys2021-token_mean".
  std::string name() const;

  friend bool operator==(const FeatureSet&, const FeatureSet&) = default;
};

/// Whose a feature is, by its index into numeric_names() or flag_names(). The tweet's author counts as the
/// tweet; what needs both tweet and reader (their pair's counters, a language's or hashtag's reader, an age
/// at the tweet's time) is the pair's. Every embedding is the tweet's.
fbs::Scope numeric_scope(size_t numeric);
fbs::Scope flag_scope(size_t flag);

}  // namespace kinglet
