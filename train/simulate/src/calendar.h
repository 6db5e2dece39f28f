#pragma once

#include <cstdint>
#include <vector>

namespace kinglet::simulate {

inline constexpr int64_t kHour = 3'600;
inline constexpr int64_t kDay = 24 * kHour;

/// When things happen: more in the evening than at night, more at weekends. Immutable.
class Calendar {
 public:
  Calendar(int64_t start, uint32_t days);

  /// The time before which `done` of `of` rows were written, 0 <= done < of: never decreases with `done`.
  int64_t time(uint64_t done, uint64_t of) const noexcept;
  /// Days since the start.
  uint32_t day(int64_t time) const noexcept { return static_cast<uint32_t>((time - start_) / kDay); }

 private:
  int64_t start_;
  std::vector<uint32_t> before_;  // activity before each hour, then in all
};

}  // namespace kinglet::simulate
