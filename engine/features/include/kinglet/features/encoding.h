#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kinglet::features {

/// How a number becomes inputs of the network.
///   fourier:   sin(x / s) for each scale s, then cos(x / s) (spec section 3). Scales are powers of two.
///   log_steps: with l = log2(1 + |x|): min(max(l - s, 0), 1) for each step s, then l / 8; all negated where
///              x < 0. Piecewise linear on a logarithmic scale; 0 becomes zeros.
enum class EncodingKind : uint8_t { fourier, log_steps };

inline constexpr size_t kMaximumScales = 32;
inline constexpr size_t kMaximumEncoded = 2 * kMaximumScales;

struct Encoding {
  EncodingKind kind = EncodingKind::fourier;
  /// fourier: 1 / scale, at most 2. log_steps: the steps. At most kMaximumScales.
  std::vector<double> parameters;

  size_t values() const noexcept {
    return kind == EncodingKind::fourier ? 2 * parameters.size() : parameters.size() + 1;
  }
  /// out[values()], computed in double and rounded to float once; |x| <= 2^36.
  void encode(double x, float* out) const noexcept;

  /// The paper's: 8 scales from 1/2 to 64, 16 values.
  static Encoding fourier();
  /// 15 steps from 0 to 14, 16 values.
  static Encoding log_steps();
};

}  // namespace kinglet::features
