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

void Flips::book(const Plan& plan, size_t lanes, Arena& arena) {
  size_t units = 0;
  for (const PlanStep& step : plan.steps) {
    if (step.kind != StepKind::flip) continue;
    units = std::max<size_t>(units, plan.values[step.input].width + 1);
    padded_ = std::max<size_t>({padded_, plan.values[step.input].padded_width, step.dense_way.outputs});
  }
  terms_offset_ = arena.book<kernels::RowTerm>(units);
  counts_offset_ = arena.book<kernels::CountTerm>(units);
  inputs_offset_ = arena.book<float>(padded_);
  quantised_offset_ = arena.book<int16_t>(padded_);
  zeros_offset_ = arena.book<float>(padded_);
  carried_offset_ = arena.book<float>(lanes * padded_);
  carries_offset_ = arena.book<uint8_t>(lanes);
}

void Flips::take(const Arena& arena) noexcept {
  terms_ = arena.part<kernels::RowTerm>(terms_offset_);
  counts_ = arena.part<kernels::CountTerm>(counts_offset_);
  inputs_ = arena.part<float>(inputs_offset_);
  quantised_ = arena.part<int16_t>(quantised_offset_);
  zeros_ = arena.part<float>(zeros_offset_);
  carried_ = arena.part<float>(carried_offset_);
  carries_ = arena.part<uint8_t>(carries_offset_);
}

uint64_t Flips::run(const PlanStep& step, size_t lane, const float* in, size_t width, float* out,
                    float* sum) noexcept {
  const float largest = off_usual_side(step.flip_scale, in, width, out);
  if (carries_[lane] != 0) return go_dense(step, lane, width, out, sum);
  if (largest < kernels::kSmallestActivation) return 0;
  const RowTable& columns = step.columns;
  const size_t stride = step.columns_width;
  float* target = sum + step.target;
  const bool bytes = columns.type == fbs::ElementType::s8;
  const size_t count =
      bytes ? collect(out, width, kFlipLimit / largest, counts_) : collect(out, width, terms_);
  if (step.dense_way.flip_scale != nullptr && count > step.dense_way.limit)
    return go_dense(step, lane, width, out, sum);
  if (!bytes) return add_terms(kernels_, columns, stride, {terms_, count}, 1.0F, target);
  kernels_.add_rows_s8(static_cast<const int8_t*>(columns.rows), stride, stride, counts_, count, 0,
                       largest / kFlipLimit, columns.scale, target);
  return count * stride;
}

uint64_t Flips::go_dense(const PlanStep& step, size_t lane, size_t width, const float* out,
                         float* sum) noexcept {
  const DenseWay& way = step.dense_way;
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
  return width * way.outputs * formats::element_bytes(way.weights.type);
}

/// change = weights x inputs_.
void Flips::multiply(const DenseWay& way, size_t width, float* change) noexcept {
  const DenseWeights& weights = way.weights;
  const size_t outputs = way.outputs;
  const size_t padded = (width + kernels::kWidePanel - 1) / kernels::kWidePanel * kernels::kWidePanel;
  std::fill(inputs_ + width, inputs_ + padded, 0.0F);
  switch (weights.type) {
    case fbs::ElementType::bf16:
      return kernels_.gemv_bf16(static_cast<const kernels::Bf16*>(weights.data), weights.panel, width,
                                outputs, inputs_, zeros_, {}, change);
    case fbs::ElementType::f16:
      return kernels_.gemv_f16(static_cast<const kernels::F16*>(weights.data), weights.panel, width, outputs,
                               inputs_, zeros_, {}, change);
    case fbs::ElementType::s8: {
      const size_t inputs = (width + kernels::kQuad - 1) / kernels::kQuad * kernels::kQuad;
      const float unit = kernels_.quantize(inputs_, padded, kernels::activation_limit(inputs), quantised_);
      return kernels_.gemv_s8(static_cast<const int8_t*>(weights.data), inputs, outputs, quantised_, unit,
                              weights.scale, weights.sums, zeros_, {}, change);
    }
    default:
      return kernels_.gemv_f32(static_cast<const float*>(weights.data), weights.panel, width, outputs,
                               inputs_, zeros_, {}, change);
  }
}

}  // namespace kinglet
