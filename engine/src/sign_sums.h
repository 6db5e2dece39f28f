#pragma once

#include <cstdint>
#include <span>

#include "kinglet/kernels/kernels.h"

#include "arena.h"
#include "plan.h"

namespace kinglet {

/// The sketch's part of a row's first columns, where it has signs alone (fbs::Packing::split): depths are
/// added up in integers, each depth's norm being a whole weight, and become floats once (docs/numerics.md).
/// Scratch for one session.
class SignSums {
 public:
  void book(uint32_t columns, Arena& arena) { counts_offset_ = arena.book<int16_t>(columns); }
  void take(const Arena& arena) noexcept { counts_ = arena.part<int16_t>(counts_offset_); }

  /// What each depth is weighed by is known before: the sum of scale * count over all terms of all depths,
  /// that of count, and the smallest scale of a depth. With one norm for all, `same`.
  void begin(const RowTable& table, double scaled, uint64_t counted, float smallest, bool same) noexcept;
  /// The terms of depths of one norm, `scale` times; `ahead` terms of the next ones follow behind.
  void add(const kernels::KernelTable& kernels, const RowTable& table,
           std::span<const kernels::CountTerm> terms, size_t ahead, float scale, float* sum) noexcept;
  /// Adds to sum[table.narrow] what has not been yet.
  void end(const kernels::KernelTable& kernels, const RowTable& table, float* sum) noexcept;

 private:
  /// Depths whose weights would be coarser are added as floats one by one: tweets of more than some 100
  /// tokens.
  static constexpr float kCoarsest = 16;

  void add_apart(const kernels::KernelTable& kernels, const RowTable& table,
                 std::span<const kernels::CountTerm> terms, size_t ahead, float scale, float* sum) noexcept;

  size_t counts_offset_ = 0;
  int16_t* counts_ = nullptr;  // [narrow columns]
  int32_t total_ = 0;          // of what has gone into counts_
  double scaled_ = 0;          // begin's
  float unit_ = 0;             // what a weight of 1 stands for, nearly; 0: each depth by itself
};

}  // namespace kinglet
