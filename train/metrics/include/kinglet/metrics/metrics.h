#pragma once

#include <cstdint>
#include <optional>
#include <span>

/// The two metrics of spec section 8, from plain arrays.
namespace kinglet::metrics {

/// A probability's distance from 0 and from 1 in the cross entropy.
inline constexpr double kClip = 1e-7;

/// AP of one reaction: the sum over the distinct probabilities, from the highest down, of (recall gained
/// there) x (precision there), which is scikit-learn's average_precision_score. Rows of equal probability
/// count as one step. Nothing if no row is positive. Throws Error for a probability outside [0, 1] or arrays
/// of two lengths.
std::optional<double> average_precision(std::span<const float> probabilities,
                                        std::span<const uint8_t> positive);
std::optional<double> average_precision(std::span<const double> probabilities,
                                        std::span<const uint8_t> positive);

/// RCE of one reaction in percent: 100 (1 - CE / CE of the share of positives), probabilities clipped to
/// [kClip, 1 - kClip]. 0 = no better than that constant, 100 = certain and right; no lower bound. Nothing if
/// all rows are positive or none is: the constant is then certain. Throws Error as above.
std::optional<double> relative_cross_entropy(std::span<const float> probabilities,
                                             std::span<const uint8_t> positive);
std::optional<double> relative_cross_entropy(std::span<const double> probabilities,
                                             std::span<const uint8_t> positive);

}  // namespace kinglet::metrics
