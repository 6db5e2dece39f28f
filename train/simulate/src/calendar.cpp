#include "src/calendar.h"

#include <algorithm>

namespace kinglet::simulate {
namespace {

// Activity of each hour of the day, UTC.
constexpr uint32_t kActivity[24] = {52, 44, 38, 32, 28, 26, 27, 31, 37, 43, 48, 53,
                                    58, 63, 67, 70, 73, 77, 82, 86, 88, 85, 76, 64};

bool is_weekend(int64_t time) noexcept {
  const int64_t weekday = (time / kDay + 3) % 7;  // 1 January 1970 was a Thursday; 0 = Monday
  return weekday >= 5;
}

}  // namespace

Calendar::Calendar(int64_t start, uint32_t days) : start_(start), before_{0} {
  for (int64_t hour = 0; hour < int64_t{days} * 24; ++hour) {
    const uint32_t activity = kActivity[hour % 24] * (is_weekend(start + hour * kHour) ? 11 : 10);
    before_.push_back(before_.back() + activity);
  }
}

int64_t Calendar::time(uint64_t done, uint64_t of) const noexcept {
  const double target = static_cast<double>(done) / static_cast<double>(of) * before_.back();
  const auto next = std::upper_bound(before_.begin() + 1, before_.end() - 1, target);
  const auto hour = next - before_.begin() - 1;
  const double within =
      (target - before_[static_cast<size_t>(hour)]) / (*next - before_[static_cast<size_t>(hour)]);
  return start_ + hour * kHour + static_cast<int64_t>(within * static_cast<double>(kHour));
}

}  // namespace kinglet::simulate
