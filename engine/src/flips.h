#pragma once

#include <cstddef>
#include <cstdint>

#include "kinglet/kernels/kernels.h"

#include "arena.h"
#include "plan.h"

namespace kinglet {

/// The sign skeleton's run time (docs/numerics.md): the units of a folded layer that are off their usual side
/// of 0 add their columns to the layers behind, or, where they are many, go the dense way. Scratch for one
/// session.
class Flips {
 public:
  explicit Flips(const kernels::KernelTable& kernels) : kernels_(kernels) {}
  void book(const Plan& plan, size_t lanes, Arena& arena);
  void take(const Arena& arena) noexcept;

  /// out[o] = max(step.flip_scale[o] * in[o], 0); adds what that changes to `sum`, the first layer's. `in` is
  /// a block of `width` units. Of one request the steps come in the plan's order, in one lane. Returns the
  /// bytes of columns and weights read.
  uint64_t run(const PlanStep& step, size_t lane, const float* in, size_t width, float* out,
               float* sum) noexcept;

 private:
  uint64_t go_dense(const PlanStep& step, size_t lane, size_t width, const float* out, float* sum) noexcept;
  void multiply(const DenseWay& way, size_t width, float* change) noexcept;

  const kernels::KernelTable& kernels_;
  size_t padded_ = 0;  // floats of the widest block
  size_t terms_offset_ = 0;
  size_t counts_offset_ = 0;
  size_t inputs_offset_ = 0;
  size_t quantised_offset_ = 0;
  size_t zeros_offset_ = 0;
  size_t carried_offset_ = 0;
  size_t carries_offset_ = 0;
  kernels::RowTerm* terms_ = nullptr;
  kernels::CountTerm* counts_ = nullptr;
  float* inputs_ = nullptr;  // [padded_], as the two below
  int16_t* quantised_ = nullptr;
  float* zeros_ = nullptr;
  float* carried_ = nullptr;    // [lanes][padded_]: what a dense way has changed in the next step's block
  uint8_t* carries_ = nullptr;  // [lanes]: whether that still has to go on to the blocks behind
};

}  // namespace kinglet
