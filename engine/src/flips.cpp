#include "flips.h"

#include <algorithm>
#include <bit>

#include "add_terms.h"

namespace kinglet {
namespace {

constexpr auto kFlipLimit = static_cast<float>(kFlipUnits);

float off_usual_side(const float* scale, const float* in, size_t width, float* out) {
  float largest = 0;
  for (size_t o = 0; o < width; ++o) {
    const float product = scale[o] * in[o];
    out[o] = product > 0 ? product : 0.0F;
    largest = out[o] > largest ? out[o] : largest;
  }
  return largest;
}

/// Branch-free: about every fifth unit counts, in no order that a CPU could guess.
size_t collect(const float* flips, size_t width, kernels::RowTerm* terms) {
  size_t count = 0;
  for (size_t o = 0; o < width; ++o) {
    terms[count] = {static_cast<uint32_t>(o), flips[o]};
    count += flips[o] != 0 ? 1 : 0;
  }
  return count;
}

/// The same in units of largest / kFlipLimit, rounded to the nearest, ties to even.
size_t collect(const float* flips, size_t width, float factor, kernels::CountTerm* terms) {
  constexpr float kRound = 0x1.8p23F;  // adding it leaves the integer in the low bits
  size_t count = 0;
  for (size_t o = 0; o < width; ++o) {
    const auto units = static_cast<int32_t>(std::bit_cast<uint32_t>(flips[o] * factor + kRound) & 0xFFFFU);
    terms[count] = {static_cast<uint32_t>(o), units};
    count += units != 0 ? 1 : 0;
  }
  return count;
}

}  // namespace

void Flips::book(const Plan& plan, Arena& arena) {
  size_t width = 0;
  for (const PlanStep& step : plan.steps) {
    if (step.kind == StepKind::flip) width = std::max<size_t>(width, plan.values[step.input].width + 1);
  }
  terms_offset_ = arena.book<kernels::RowTerm>(width);
  counts_offset_ = arena.book<kernels::CountTerm>(width);
}

void Flips::take(const Arena& arena) noexcept {
  terms_ = arena.part<kernels::RowTerm>(terms_offset_);
  counts_ = arena.part<kernels::CountTerm>(counts_offset_);
}

uint64_t Flips::run(const PlanStep& step, const float* in, size_t width, float* out, float* sum) noexcept {
  const RowTable& columns = step.columns;
  const size_t stride = step.columns_width;
  float* target = sum + step.target;
  const float largest = off_usual_side(step.flip_scale, in, width, out);
  if (largest < kernels::kSmallestActivation) return 0;
  if (columns.type == fbs::ElementType::s8) {
    const size_t count = collect(out, width, kFlipLimit / largest, counts_);
    kernels_.add_rows_s8(static_cast<const int8_t*>(columns.rows), stride, stride, counts_, count, 0,
                         largest / kFlipLimit, columns.scale, target);
    return count * stride;
  }
  return add_terms(kernels_, columns, stride, {terms_, collect(out, width, terms_)}, 1.0F, target);
}

}  // namespace kinglet
