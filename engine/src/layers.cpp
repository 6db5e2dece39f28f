#include "layers.h"

#include <algorithm>

namespace kinglet {
namespace {

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

}  // namespace

size_t useful_lanes(const Plan& plan, size_t wanted) noexcept {
  constexpr uint64_t kShare = 512 << 10;  // bytes of weights a lane: 5 to 10 us from the third-level cache
  constexpr uint64_t kFew = 16;           // a lane's values have 40 to 60 KB
  uint64_t bytes = 0;
  for (const PlanStep& step : plan.steps) {
    if (step.kind != StepKind::dense) continue;
    bytes += formats::bytes_of(step.type,
                               uint64_t{plan.values[step.input].width} * plan.values[step.output].width);
  }
  return std::min<uint64_t>(wanted, std::max(kFew, bytes / kShare));
}

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
        columns_read_ +=
            flips_.run(*bound.step, lane, bound.input, bound.padded_inputs, bound.output, values(lane));
      } else {
        kernels_.activate_f32(bound.input, bound.outputs, bound.epilogue, bound.output);
      }
    }
  }
}

void Layers::run_dense(size_t step_number, size_t lanes) noexcept {
  const PlanStep& step = plan_.steps[step_number];
  const BoundStep& first = steps_[step_number];
  for (size_t lane = 0; lane < lanes; ++lane) {
    const BoundStep& bound = steps_[lane * plan_.steps.size() + step_number];
    dense_lanes_[lane] = {bound.input, 0, bound.epilogue, bound.output};
  }
  switch (step.type) {
    case fbs::ElementType::s8:
      run_dense_s8(step, first, lanes);
      break;
    case fbs::ElementType::bf16:
      run_dense_floats<kernels::Bf16>(kernels_.gemv_bf16, step, first, lanes);
      break;
    case fbs::ElementType::f16:
      run_dense_floats<kernels::F16>(kernels_.gemv_f16, step, first, lanes);
      break;
    default:
      run_dense_floats<float>(kernels_.gemv_f32, step, first, lanes);
      break;
  }
  dense_read_ += formats::bytes_of(step.type, first.inputs * first.outputs);
}

void Layers::run_dense_s8(const PlanStep& step, const BoundStep& first, size_t lanes) noexcept {
  const size_t inputs = round_up(first.inputs, kernels::kQuad);
  for (size_t lane = 0; lane < lanes; ++lane) {
    kernels::DenseLane& dense = dense_lanes_[lane];
    dense.scale = kernels_.quantize(static_cast<const float*>(dense.in), first.padded_inputs,
                                    kernels::activation_limit(inputs), step.wide_share, quantised(lane));
    dense.in = quantised(lane);
  }
  kernels_.gemv_s8(static_cast<const int8_t*>(step.weights), inputs, first.outputs, step.weights_scale,
                   step.weights_sums, step.bias, dense_lanes_, lanes);
}

template <typename Element, typename Kernel>
void Layers::run_dense_floats(Kernel* gemv, const PlanStep& step, const BoundStep& first,
                              size_t lanes) noexcept {
  gemv(static_cast<const Element*>(step.weights), step.panel, first.inputs, first.outputs, step.bias,
       dense_lanes_, lanes);
}

}  // namespace kinglet
