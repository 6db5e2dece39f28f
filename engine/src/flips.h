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

  /// out[o] = max(step.flip_scale[o] * in[o], 0), and which of them are above 0, for add(); or, where they
  /// are too many, adds what they change to `sum`, the lane's first layer, itself. `in` is a block of `width`
  /// units, padded. Of one request the steps come in the plan's order, in one lane. Returns the bytes of
  /// weights read.
  uint64_t find(const PlanStep& step, size_t lane, const float* in, size_t width, float* out,
                float* sum) noexcept;

  /// Adds the columns, `columns` of them, of the units found to `sum`. Returns the bytes read.
  uint64_t add(const PlanStep& step, size_t lane, Columns columns, float* sum) const noexcept;

 private:
  /// Columns that a lane has to add.
  struct Found {
    size_t count;
    float unit;  // what one count stands for
  };

  size_t count(const PlanStep& step, size_t lane, float largest, const float* flips, size_t width) noexcept;
  uint64_t go_dense(const PlanStep& step, size_t lane, const float* out, float* sum) noexcept;
  void multiply(const DenseWay& way, size_t units, float* change) noexcept;
  kernels::RowTerm* terms(size_t lane) const noexcept { return terms_ + lane * capacity_; }
  kernels::CountTerm* counts(size_t lane) const noexcept { return counts_ + lane * capacity_; }

  const kernels::KernelTable& kernels_;
  size_t lanes_;
  size_t padded_ = 0;    // floats of the widest block
  size_t capacity_ = 0;  // terms a lane
  size_t terms_offset_ = 0;
  size_t counts_offset_ = 0;
  size_t found_offset_ = 0;
  size_t inputs_offset_ = 0;
  size_t quantised_offset_ = 0;
  size_t zeros_offset_ = 0;
  size_t carried_offset_ = 0;
  size_t carries_offset_ = 0;
  kernels::RowTerm* terms_ = nullptr;     // [lanes][capacity_]: columns of floats and of 16 bits
  kernels::CountTerm* counts_ = nullptr;  // [lanes][capacity_]: of 8 bits
  Found* found_ = nullptr;                // [lanes]
  float* inputs_ = nullptr;               // [padded_], as the two below
  int16_t* quantised_ = nullptr;
  float* zeros_ = nullptr;
  float* carried_ = nullptr;    // [lanes][padded_]: what a dense way has changed in the next step's block
  uint8_t* carries_ = nullptr;  // [lanes]: whether that still has to go on to the blocks behind
};

}  // namespace kinglet
