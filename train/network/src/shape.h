#pragma once

#include <cstddef>
#include <cstdint>

namespace kinglet::train {

/// Values of each category's embedding, and the categories of the hour and the day of the month (spec
/// section 3.4).
inline constexpr uint32_t kEmbedding = 20;
inline constexpr uint32_t kHours = 24;
inline constexpr uint32_t kDays = 31;
inline constexpr uint32_t kNorms = 4;  // batch normalisations

/// The network's sizes (spec section 6). Inputs are in the order sketch, plain, embeddings.
struct NetworkShape {
  uint32_t hidden = 1500;
  uint32_t sketch = 5120;   // depth x width
  uint32_t plain = 1180;    // encoded numeric features, then flags
  uint32_t languages = 67;  // the row for unknown languages included

  uint32_t embedded() const noexcept { return 3 * kEmbedding; }
  /// Inputs that are not the sketch's.
  uint32_t dense() const noexcept { return plain + embedded(); }
  uint32_t inputs() const noexcept { return sketch + dense(); }

  friend bool operator==(const NetworkShape&, const NetworkShape&) = default;
};

}  // namespace kinglet::train
