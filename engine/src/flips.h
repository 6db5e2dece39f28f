#pragma once

#include <cstddef>
#include <cstdint>

#include "kinglet/kernels/kernels.h"

#include "add_terms.h"
#include "arena.h"
#include "plan.h"

namespace kinglet {

/// The sign skeleton's run time (docs/numerics.md): the units of a folded layer that are off their usual side
/// of 0 add their columns to the layers behind, or, where they are many, go the dense way. Scratch for one
/// session, of so many lanes.
class Flips {
 public:
  Flips(const kernels::KernelTable& kernels, size_t lanes) : kernels_(kernels), lanes_(lanes) {}
  void book(const Plan& plan, Arena& arena);
  void take(const Arena& arena) noexcept;

  /// out[o] = max(step.flip_scale[o] * in[o], 0); adds what that changes to `sum`, the lane's first layer.
  /// `in` is a block of `width` units, padded. Of one request the steps come in the plan's order, in one
  /// lane. Returns the bytes of columns and weights read.
  uint64_t run(const PlanStep& step, size_t lane, const float* in, size_t width, float* out,
               float* sum) noexcept;

 private:
  uint64_t go_dense(const PlanStep& step, size_t lane, const float* out, float* sum) noexcept;
  void multiply(const DenseWay& way, size_t units, float* change) noexcept;

  const kernels::KernelTable& kernels_;
  size_t lanes_;
  size_t padded_ = 0;  // floats of the widest block
  size_t terms_offset_ = 0;
  size_t counts_offset_ = 0;
  size_t inputs_offset_ = 0;
  size_t quantised_offset_ = 0;
  size_t zeros_offset_ = 0;
  size_t carried_offset_ = 0;
  size_t carries_offset_ = 0;
  kernels::RowTerm* terms_ = nullptr;     // of columns of floats and of 16 bits
  kernels::CountTerm* counts_ = nullptr;  // of 8 bits
  float* inputs_ = nullptr;               // [padded_], as the two below
  std::byte* quantised_ = nullptr;        // in the kernels' own format
  float* zeros_ = nullptr;
  float* carried_ = nullptr;    // [lanes][padded_]: what a dense way has changed in the next step's block
  uint8_t* carries_ = nullptr;  // [lanes]: whether that still has to go on to the blocks behind
};

}  // namespace kinglet
