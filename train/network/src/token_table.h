#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "kinglet/converter/token_vectors.h"
#include "kinglet/feature_set.h"
#include "kinglet/features/token_mean.h"

namespace kinglet::train {

/// What is known of each token: the codes that sketches count, or the vector that means are taken of.
class TokenTable {
 public:
  /// A codebook; an empty one takes `empty_depth`. Throws Error if a code lies outside its depth's `width`
  /// codes.
  TokenTable(const std::filesystem::path& codebook, uint32_t empty_depth, uint32_t width);
  /// Token vectors, each dimension of which is standardised: means of small numbers would be learned slowly.
  explicit TokenTable(const std::filesystem::path& vectors);

  TextInput kind() const noexcept { return kind_; }
  /// "20 x 256", "mean of 64".
  std::string described() const;
  uint32_t inputs() const noexcept {
    return kind_ == TextInput::sketch ? depth_ * width_ : static_cast<uint32_t>(vectors_.dimensions);
  }
  bool empty() const noexcept { return codes_.empty() && table_.empty(); }
  bool knows(uint32_t token) const noexcept {
    if (kind_ == TextInput::token_mean) return vector_table().has(token);
    const size_t first = size_t{token} * depth_;
    return first < codes_.size() && codes_[first] != kNoCode;
  }

  // Of a codebook:
  uint32_t depth() const noexcept { return depth_; }
  uint32_t width() const noexcept { return width_; }
  /// The absolute codes of a token that it knows.
  std::span<const uint32_t> codes(uint32_t token) const noexcept {
    return {codes_.data() + size_t{token} * depth_, depth_};
  }

  // Of vectors:
  /// The standardised vectors.
  const converter::TokenVectors& vectors() const noexcept { return vectors_; }
  /// The same by token id; a view of this.
  features::TokenVectorTable vector_table() const noexcept {
    const auto dimensions = static_cast<uint32_t>(vectors_.dimensions);
    return {table_.data(), dimensions == 0 ? 0 : table_.size() / dimensions, dimensions};
  }

 private:
  static constexpr uint32_t kNoCode = 0xFFFF'FFFF;
  TextInput kind_ = TextInput::sketch;
  uint32_t depth_ = 0;
  uint32_t width_ = 0;
  std::vector<uint32_t> codes_;  // [tokens][depth]
  converter::TokenVectors vectors_;
  std::vector<float> table_;  // [tokens][dimensions]
};

}  // namespace kinglet::train
