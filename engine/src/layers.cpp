#include "layers.h"

#include <algorithm>

namespace kinglet {
namespace {

/// Outputs whose weights are run for every lane before the next are read: at 8 bits and 1,500 inputs, what a
/// second-level cache keeps beside the lanes' values.
constexpr size_t kSharedOutputs = 4 * kernels::kWidePanel;

size_t round_up(size_t value, size_t step) {
  return (value + step - 1) / step * step;
}

size_t addend_count(const Plan& plan) {
  size_t count = 0;
  for (const PlanStep& step : plan.steps) count += step.addends.size();
  return count;
}

/// The widest vector that a step quantises.
size_t widest_quantised(const Plan& plan) {
  size_t width = 0;
  for (const PlanStep& step : plan.steps) {
    if (step.kind == StepKind::dense && step.type == fbs::ElementType::s8)
      width = std::max<size_t>(width, plan.values[step.input].padded_width);
  }
  return width;
}

/// The epilogue of the outputs from `begin` on; `addends` is where its addends are put.
kernels::Epilogue epilogue_from(const kernels::Epilogue& whole, size_t begin, kernels::Addend* addends) {
  kernels::Epilogue part = whole;
  for (size_t a = 0; a < whole.addend_count; ++a) {
    const kernels::Addend& addend = whole.addends[a];
    addends[a] = {addend.value + begin, addend.scale != nullptr ? addend.scale + begin : nullptr,
                  addend.shift != nullptr ? addend.shift + begin : nullptr};
  }
  part.addends = addends;
  if (whole.scale != nullptr) {
    part.scale = whole.scale + begin;
    part.shift = whole.shift + begin;
  }
  return part;
}

}  // namespace

void Layers::book(Arena& arena) {
  flips_.book(plan_, arena);
  lane_floats_ = round_up(plan_.value_floats, kernels::kLane);
  quantised_bytes_ = kernels::quantised_bytes(widest_quantised(plan_));
  values_offset_ = arena.book<float>(lanes_ * lane_floats_);
  quantised_offset_ = arena.book<std::byte>(lanes_ * quantised_bytes_);
  dense_lanes_offset_ = arena.book<kernels::DenseLane>(lanes_);
  addends_offset_ = arena.book<kernels::Addend>(lanes_ * addend_count(plan_));
}

void Layers::take(const Arena& arena) {
  flips_.take(arena);
  values_ = arena.part<float>(values_offset_);
  quantised_ = arena.part<std::byte>(quantised_offset_);
  dense_lanes_ = arena.part<kernels::DenseLane>(dense_lanes_offset_);
  auto* addends = arena.part<kernels::Addend>(addends_offset_);
  const size_t count = addend_count(plan_);
  steps_.reserve(lanes_ * plan_.steps.size());
  for (size_t lane = 0; lane < lanes_; ++lane) bind(lane, addends + lane * count);
}

void Layers::bind(size_t lane, kernels::Addend* addends) {
  float* const base = values(lane);
  for (const PlanStep& step : plan_.steps) {
    const Value& input = plan_.values[step.input];
    const Value& output = plan_.values[step.output];
    const kernels::Epilogue epilogue{addends,    step.addends.size(), step.leaky,
                                     step.slope, step.scale,          step.shift};
    for (const PlanAddend& addend : step.addends) {
      *addends++ = {base + plan_.values[addend.value].offset, addend.scale, addend.shift};
    }
    steps_.push_back({&step, base + input.offset, base + output.offset, input.width, input.padded_width,
                      output.padded_width, epilogue});
  }
}

void Layers::run_steps(size_t begin, size_t end, size_t lanes) noexcept {
  const size_t count = plan_.steps.size();
  for (size_t s = begin; s < end; ++s) {
    if (plan_.steps[s].kind == StepKind::dense) {
      run_dense(s, lanes);
      continue;
    }
    for (size_t lane = 0; lane < lanes; ++lane) {
      const BoundStep& bound = steps_[lane * count + s];
      if (bound.step->kind == StepKind::flip) {
        bytes_read_ +=
            flips_.run(*bound.step, lane, bound.input, bound.padded_inputs, bound.output, values(lane));
      } else {
        kernels_.activate_f32(bound.input, bound.outputs, bound.epilogue, bound.output);
      }
    }
  }
}

void Layers::run_dense(size_t step_number, size_t lanes) noexcept {
  const size_t count = plan_.steps.size();
  const PlanStep& step = plan_.steps[step_number];
  const BoundStep& first = steps_[step_number];
  if (step.type == fbs::ElementType::s8) return run_dense_s8(step_number, lanes);
  const size_t whole = lanes == 1 ? first.outputs : kSharedOutputs;
  for (size_t begin = 0; begin < first.outputs; begin += whole) {
    const Part part{begin, std::min(whole, first.outputs - begin)};
    for (size_t lane = 0; lane < lanes; ++lane) run_part(steps_[lane * count + step_number], part);
  }
  bytes_read_ += formats::bytes_of(step.type, first.inputs * first.outputs);
}

void Layers::run_dense_s8(size_t step_number, size_t lanes) noexcept {
  const PlanStep& step = plan_.steps[step_number];
  const BoundStep& first = steps_[step_number];
  const size_t inputs = round_up(first.inputs, kernels::kQuad);
  for (size_t lane = 0; lane < lanes; ++lane) {
    const BoundStep& bound = steps_[lane * plan_.steps.size() + step_number];
    const float unit = kernels_.quantize(bound.input, bound.padded_inputs, kernels::activation_limit(inputs),
                                         step.wide_share, quantised(lane));
    dense_lanes_[lane] = {quantised(lane), unit, bound.epilogue, bound.output};
  }
  kernels_.gemv_s8(static_cast<const int8_t*>(step.weights), inputs, first.outputs, step.weights_scale,
                   step.weights_sums, step.bias, dense_lanes_, lanes);
  bytes_read_ += formats::bytes_of(step.type, first.inputs * first.outputs);
}

template <typename Element, typename Kernel>
void Layers::run_gemv(Kernel* gemv, const BoundStep& bound, const kernels::Epilogue& epilogue,
                      Part part) noexcept {
  const PlanStep& step = *bound.step;
  gemv(static_cast<const Element*>(step.weights) + part.begin * bound.inputs, step.panel, bound.inputs,
       part.outputs, bound.input, step.bias + part.begin, epilogue, bound.output + part.begin);
}

void Layers::run_part(const BoundStep& bound, Part part) noexcept {
  const PlanStep& step = *bound.step;
  kernels::Addend addends[kMaximumAddends];
  const kernels::Epilogue epilogue = epilogue_from(bound.epilogue, part.begin, addends);
  switch (step.type) {
    case fbs::ElementType::bf16:
      return run_gemv<kernels::Bf16>(kernels_.gemv_bf16, bound, epilogue, part);
    case fbs::ElementType::f16:
      return run_gemv<kernels::F16>(kernels_.gemv_f16, bound, epilogue, part);
    default:
      return run_gemv<float>(kernels_.gemv_f32, bound, epilogue, part);
  }
}

}  // namespace kinglet
