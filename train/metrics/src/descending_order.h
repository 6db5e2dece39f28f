#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace kinglet::metrics {

/// Row numbers by descending probability, ties by ascending number. Probabilities are in [0, 1]; fewer than
/// 2^32.
template <typename T>
std::vector<uint32_t> descending_order(std::span<const T> probabilities) {
  std::vector<uint32_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), uint32_t{0});
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return probabilities[a] != probabilities[b] ? probabilities[a] > probabilities[b] : a < b;
  });
  return order;
}

/// The bits of a float that is not negative order as the float does, so key and number sort as one integer:
/// three times as fast as the comparison through an index.
template <>
inline std::vector<uint32_t> descending_order(std::span<const float> probabilities) {
  std::vector<uint64_t> keys(probabilities.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(probabilities[i] + 0.0F);  // -0 becomes 0
    keys[i] = uint64_t{~bits} << 32 | i;
  }
  std::sort(keys.begin(), keys.end());
  std::vector<uint32_t> order(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) order[i] = static_cast<uint32_t>(keys[i]);
  return order;
}

}  // namespace kinglet::metrics
