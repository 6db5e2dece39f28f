#pragma once

#include <cstddef>
#include <cstdint>

#include "kinglet/kernels/kernels.h"

#include "arena.h"
#include "plan.h"

namespace kinglet {

/// The sign skeleton's run time (docs/numerics.md): the few units of a folded layer that are off their usual
/// side of 0 add their columns to the layers behind. Scratch for one session.
class Flips {
 public:
  explicit Flips(const kernels::KernelTable& kernels) : kernels_(kernels) {}
  void book(const Plan& plan, Arena& arena);
  void take(const Arena& arena) noexcept;

  /// out[o] = max(step.flip_scale[o] * in[o], 0); adds the columns of those above 0 to `sum`, the first
  /// layer's. Returns the bytes of columns read.
  uint64_t run(const PlanStep& step, const float* in, size_t width, float* out, float* sum) noexcept;

 private:
  const kernels::KernelTable& kernels_;
  size_t terms_offset_ = 0;
  size_t counts_offset_ = 0;
  kernels::RowTerm* terms_ = nullptr;
  kernels::CountTerm* counts_ = nullptr;
};

}  // namespace kinglet
