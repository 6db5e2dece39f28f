#include "flips.h"

#include <algorithm>

namespace kinglet {
namespace {

constexpr auto kFlipLimit = static_cast<float>(kFlipUnits);

}  // namespace

void Flips::book(const Plan& plan, Arena& arena) {
  for (const PlanStep& step : plan.steps) {
    if (step.kind != StepKind::flip) continue;
    padded_ = std::max<size_t>({padded_, plan.values[step.input].padded_width, step.dense_way.outputs});
  }
  terms_offset_ = arena.book<kernels::RowTerm>(padded_ + kernels::kLane);
  counts_offset_ = arena.book<kernels::CountTerm>(padded_ + kernels::kLane);
  inputs_offset_ = arena.book<float>(padded_);
  quantised_offset_ = arena.book<std::byte>(kernels::quantised_bytes(padded_));
  zeros_offset_ = arena.book<float>(padded_);
  carried_offset_ = arena.book<float>(lanes_ * padded_);
  carries_offset_ = arena.book<uint8_t>(lanes_);
}

void Flips::take(const Arena& arena) noexcept {
  terms_ = arena.part<kernels::RowTerm>(terms_offset_);
  counts_ = arena.part<kernels::CountTerm>(counts_offset_);
  inputs_ = arena.part<float>(inputs_offset_);
  quantised_ = arena.part<std::byte>(quantised_offset_);
  zeros_ = arena.part<float>(zeros_offset_);
  carried_ = arena.part<float>(carried_offset_);
  carries_ = arena.part<uint8_t>(carries_offset_);
}

uint64_t Flips::run(const PlanStep& step, size_t lane, const float* in, size_t width, float* out,
                    float* sum) noexcept {
  const float largest = kernels_.find_flips(step.flip_scale, in, width, out);
  if (carries_[lane] != 0) return go_dense(step, lane, out, sum);
  if (largest < kernels::kSmallestActivation) return 0;
  const bool whole = counts_whole(step.columns.type);
  const size_t count = whole ? kernels_.count_flips(out, width, kFlipLimit / largest, counts_)
                             : kernels_.list_flips(out, width, terms_);
  if (step.dense_way.flip_scale != nullptr && count > step.dense_way.limit)
    return go_dense(step, lane, out, sum);
  float* const target = sum + step.target;
  if (whole) {
    return add_counts(kernels_, step.columns, {counts_, count}, 0, largest / kFlipLimit, target);
  }
  return add_terms(kernels_, step.columns, {terms_, count}, 1.0F, target);
}

uint64_t Flips::go_dense(const PlanStep& step, size_t lane, const float* out, float* sum) noexcept {
  const DenseWay& way = step.dense_way;
  const size_t width = step.columns.count;
  float* carried = carried_ + lane * padded_;
  for (size_t i = 0; i < width; ++i) inputs_[i] = way.flip_scale[i] * out[i];
  if (carries_[lane] != 0) {
    for (size_t i = 0; i < width; ++i) inputs_[i] = inputs_[i] + way.carried_scale[i] * carried[i];
  }
  multiply(way, width, carried);
  float* target = sum + step.target;
  for (size_t o = 0; o < way.outputs; ++o) target[o] += carried[o];
  if (way.residual_scale != nullptr) {
    float* residual = sum + way.residual_target;
    for (size_t i = 0; i < width; ++i) residual[i] += way.residual_scale[i] * out[i];
  }
  carries_[lane] = way.carries ? 1 : 0;
  return formats::bytes_of(way.weights.type, width * way.outputs);
}

/// change = weights x inputs_.
void Flips::multiply(const DenseWay& way, size_t units, float* change) noexcept {
  const DenseWeights& weights = way.weights;
  const size_t outputs = way.outputs;
  const size_t padded = (units + kernels::kWidePanel - 1) / kernels::kWidePanel * kernels::kWidePanel;
  std::fill(inputs_ + units, inputs_ + padded, 0.0F);
  kernels::DenseLane lane = {inputs_, 0, {}, change};
  switch (weights.type) {
    case fbs::ElementType::bf16:
      return kernels_.gemv_bf16(static_cast<const kernels::Bf16*>(weights.data), weights.panel, units,
                                outputs, zeros_, &lane, 1);
    case fbs::ElementType::f16:
      return kernels_.gemv_f16(static_cast<const kernels::F16*>(weights.data), weights.panel, units, outputs,
                               zeros_, &lane, 1);
    case fbs::ElementType::s8: {
      const size_t inputs = (units + kernels::kQuad - 1) / kernels::kQuad * kernels::kQuad;
      const float unit = kernels_.quantize(inputs_, padded, kernels::activation_limit(inputs), 0, quantised_);
      lane = {quantised_, unit, {}, change};
      return kernels_.gemv_s8(static_cast<const int8_t*>(weights.data), inputs, outputs, weights.scale,
                              weights.sums, zeros_, &lane, 1);
    }
    default:
      return kernels_.gemv_f32(static_cast<const float*>(weights.data), weights.panel, units, outputs, zeros_,
                               &lane, 1);
  }
}

}  // namespace kinglet
