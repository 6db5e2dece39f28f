#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kinglet/kernels/kernels.h"

#include "arena.h"
#include "flips.h"
#include "plan.h"

namespace kinglet {

/// How many of `wanted` requests to run at once: each more has a smaller share of reading the weights, but
/// needs scratch in the second-level cache.
size_t useful_lanes(const Plan& plan, size_t wanted) noexcept;

/// The layers behind the first: runs a plan's steps, for one request or for several at once, whose weights
/// are then read once. A request's values lie in a lane of its own; its bits do not depend on the others.
/// Scratch for one session.
class Layers {
 public:
  Layers(const Plan& plan, const kernels::KernelTable& kernels, size_t lanes)
      : plan_(plan), kernels_(kernels), lanes_(lanes), flips_(kernels, lanes) {}
  void book(Arena& arena);
  void take(const Arena& arena);

  /// The first layer's sum, where the caller puts it before run(), and all values behind it.
  float* values(size_t lane) const noexcept { return values_ + lane * lane_floats_; }
  /// The plan's output.
  const float* logits(size_t lane) const noexcept { return values(lane) + plan_.values[plan_.output].offset; }
  /// Runs the steps of lanes 0 to `lanes` - 1.
  void run(size_t lanes) noexcept { run_steps(0, plan_.steps.size(), lanes); }
  /// Runs steps [begin, end) of the plan alone.
  void run_steps(size_t begin, size_t end, size_t lanes) noexcept;

  /// Bytes of weights and columns read since the last reset.
  uint64_t columns_read() const noexcept { return columns_read_; }  // in bytes
  uint64_t dense_read() const noexcept { return dense_read_; }
  void reset_bytes() noexcept { columns_read_ = dense_read_ = 0; }

 private:
  /// A step with its vectors' addresses in one lane: what a kernel call takes.
  struct BoundStep {
    const PlanStep* step;
    const float* input;
    float* output;
    size_t inputs;
    size_t padded_inputs;
    size_t outputs;
    kernels::Epilogue epilogue;
  };

  void bind(size_t lane, kernels::Addend* addends);
  void run_dense(size_t step, size_t lanes) noexcept;
  /// `first` is the step bound in lane 0; the lanes are in dense_lanes_.
  void run_dense_s8(const PlanStep& step, const BoundStep& first, size_t lanes) noexcept;
  template <typename Element, typename Kernel>
  void run_dense_floats(Kernel* gemv, const PlanStep& step, const BoundStep& first, size_t lanes) noexcept;
  std::byte* quantised(size_t lane) const noexcept { return quantised_ + lane * quantised_bytes_; }

  const Plan& plan_;
  const kernels::KernelTable& kernels_;
  size_t lanes_;
  Flips flips_;
  size_t lane_floats_ = 0;
  size_t quantised_bytes_ = 0;
  uint64_t columns_read_ = 0;
  uint64_t dense_read_ = 0;
  size_t values_offset_ = 0;
  size_t quantised_offset_ = 0;
  size_t dense_lanes_offset_ = 0;
  size_t addends_offset_ = 0;
  float* values_ = nullptr;
  std::byte* quantised_ = nullptr;  // dense layers' inputs, in the kernels' own format
  kernels::DenseLane* dense_lanes_ = nullptr;
  std::vector<BoundStep> steps_;  // [lanes][steps of the plan]
};

}  // namespace kinglet
