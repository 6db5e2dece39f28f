#pragma once

#include <cstdint>
#include <span>

#include "kinglet/kernels/kernels.h"

#include "plan.h"

namespace kinglet {

/// Adds weighted rows of a table to sum[table.columns], by the kernel of its type (rows that count whole
/// times: add_counts). Returns the bytes read.
inline uint64_t add_terms(const kernels::KernelTable& kernels, const RowTable& table,
                          std::span<const kernels::RowTerm> terms, float scale, float* sum) noexcept {
  const size_t count = terms.size();
  const size_t stride = table.columns;
  switch (table.type) {
    case fbs::ElementType::bf16:
      kernels.add_rows_bf16(static_cast<const kernels::Bf16*>(table.rows), stride, stride, terms.data(),
                            count, scale, sum);
      break;
    case fbs::ElementType::f16:
      kernels.add_rows_f16(static_cast<const kernels::F16*>(table.rows), stride, stride, terms.data(), count,
                           scale, sum);
      break;
    case fbs::ElementType::s16:
      kernels.add_rows_s16(static_cast<const int16_t*>(table.rows), stride, stride, terms.data(), count,
                           scale, table.scale, sum);
      break;
    default:
      kernels.add_rows_f32(static_cast<const float*>(table.rows), stride, stride, terms.data(), count, scale,
                           sum);
      break;
  }
  return formats::bytes_of(table.type, count * stride);
}

/// The same for rows that count whole times: of 8 or 4 bits, but for their signs (SignSums). `ahead` terms of
/// the next call follow behind.
inline uint64_t add_counts(const kernels::KernelTable& kernels, const RowTable& table,
                           std::span<const kernels::CountTerm> terms, size_t ahead, float scale,
                           float* sum) noexcept {
  if (table.type == fbs::ElementType::s4) {
    kernels.add_rows_s4(static_cast<const uint8_t*>(table.rows), table.columns, table.columns, terms.data(),
                        terms.size(), ahead, scale, table.scale, sum);
    return terms.size() * table.row_bytes();
  }
  const auto* rows = static_cast<const uint8_t*>(table.rows);
  const uint64_t bytes = table.row_bytes();
  const uint32_t narrow = table.narrow;
  if (narrow != 0 && !table.has_signs())
    kernels.add_rows_s4(rows, 2 * bytes, narrow, terms.data(), terms.size(), ahead, scale, table.scale, sum);
  kernels.add_rows_s8(reinterpret_cast<const int8_t*>(rows + table.narrow_bytes()), bytes,
                      table.columns - narrow, terms.data(), terms.size(), ahead, scale, table.scale + narrow,
                      sum + narrow);
  return terms.size() * bytes;
}

}  // namespace kinglet
