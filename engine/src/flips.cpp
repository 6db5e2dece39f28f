#include "flips.h"

#include <algorithm>

namespace kinglet {
namespace {

constexpr auto kFlipLimit = static_cast<float>(kFlipUnits);

}  // namespace

void Flips::book(const Plan& plan, Arena& arena) {
  size_t width = 0;
  for (const PlanStep& step : plan.steps) {
    if (step.kind == StepKind::flip) width = std::max<size_t>(width, plan.values[step.input].padded_width);
  }
  capacity_ = width + kernels::kLane;
  terms_offset_ = arena.book<kernels::RowTerm>(lanes_ * capacity_);
  counts_offset_ = arena.book<kernels::CountTerm>(lanes_ * capacity_);
  found_offset_ = arena.book<Found>(lanes_);
}

void Flips::take(const Arena& arena) noexcept {
  terms_ = arena.part<kernels::RowTerm>(terms_offset_);
  counts_ = arena.part<kernels::CountTerm>(counts_offset_);
  found_ = arena.part<Found>(found_offset_);
}

void Flips::find(const PlanStep& step, size_t lane, const float* in, size_t width, float* out) noexcept {
  Found& found = found_[lane];
  const float largest = kernels_.find_flips(step.flip_scale, in, width, out);
  found = {0, 1.0F};
  if (largest < kernels::kSmallestActivation) return;
  if (counts_whole(step.columns.type)) {
    found.count = kernels_.count_flips(out, width, kFlipLimit / largest, counts(lane));
    found.unit = largest / kFlipLimit;
  } else {
    found.count = kernels_.list_flips(out, width, terms(lane));
  }
}

uint64_t Flips::add(const PlanStep& step, size_t lane, Columns columns, float* sum) const noexcept {
  const auto [count, unit] = found_[lane];
  float* const target = sum + step.target + columns.begin;
  if (counts_whole(step.columns.type)) {
    return add_counts(kernels_, step.columns, step.columns_width, columns, {counts(lane), count}, 0, unit,
                      target);
  }
  return add_terms(kernels_, step.columns, step.columns_width, columns, {terms(lane), count}, unit, target);
}

}  // namespace kinglet
