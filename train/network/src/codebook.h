#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace kinglet::train {

/// The token codes of a codebook file, checked against the sketch's width. Immutable.
class Codebook {
 public:
  /// An empty codebook takes `empty_depth`. Throws Error if a code lies outside its depth's `width` codes.
  Codebook(const std::filesystem::path& path, uint32_t empty_depth, uint32_t width);

  uint32_t depth() const noexcept { return depth_; }
  uint32_t width() const noexcept { return width_; }
  uint32_t inputs() const noexcept { return depth_ * width_; }
  bool empty() const noexcept { return codes_.empty(); }
  bool knows(uint32_t token) const noexcept {
    const size_t first = size_t{token} * depth_;
    return first < codes_.size() && codes_[first] != kNoCode;
  }
  /// The absolute codes of a token that it knows.
  std::span<const uint32_t> codes(uint32_t token) const noexcept {
    return {codes_.data() + size_t{token} * depth_, depth_};
  }

 private:
  static constexpr uint32_t kNoCode = 0xFFFF'FFFF;
  uint32_t depth_;
  uint32_t width_;
  std::vector<uint32_t> codes_;  // [tokens][depth]
};

}  // namespace kinglet::train
