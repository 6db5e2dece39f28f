#pragma once

#include <cstddef>
#include <cstdint>

#include "kinglet/kernels/kernels.h"

#include "add_terms.h"
#include "arena.h"
#include "plan.h"

namespace kinglet {

/// The sign skeleton's run time (docs/numerics.md): the few units of a folded layer that are off their usual
/// side of 0 add their columns to the layers behind. Scratch for one session, of so many lanes.
class Flips {
 public:
  Flips(const kernels::KernelTable& kernels, size_t lanes) : kernels_(kernels), lanes_(lanes) {}
  void book(const Plan& plan, Arena& arena);
  void take(const Arena& arena) noexcept;

  /// out[o] = max(step.flip_scale[o] * in[o], 0), and which of them are above 0, for add(); `width` is
  /// padded.
  void find(const PlanStep& step, size_t lane, const float* in, size_t width, float* out) noexcept;

  /// Adds those units' columns, `columns` of them, to `sum`, the lane's first layer. Returns the bytes read.
  uint64_t add(const PlanStep& step, size_t lane, Columns columns, float* sum) const noexcept;

 private:
  /// What find() found in a lane.
  struct Found {
    size_t count;
    float unit;  // what one count stands for
  };
  kernels::RowTerm* terms(size_t lane) const noexcept { return terms_ + lane * capacity_; }
  kernels::CountTerm* counts(size_t lane) const noexcept { return counts_ + lane * capacity_; }

  const kernels::KernelTable& kernels_;
  size_t lanes_;
  size_t capacity_ = 0;  // terms a lane
  size_t terms_offset_ = 0;
  size_t counts_offset_ = 0;
  size_t found_offset_ = 0;
  kernels::RowTerm* terms_ = nullptr;     // [lanes][capacity_]: columns of floats and of 16 bits
  kernels::CountTerm* counts_ = nullptr;  // [lanes][capacity_]: of 8 bits
  Found* found_ = nullptr;                // [lanes]
};

}  // namespace kinglet
