#include "gemm.h"

#include <algorithm>
#include <stdexcept>

#include <oneapi/dnnl/dnnl.h>

#include "parallel.h"

namespace kinglet::train {
namespace {

dnnl_dim_t dim(size_t size) {
  return static_cast<dnnl_dim_t>(size);
}

constexpr size_t kTileColumns = 128;  // oneDNN is as fast on such a tile as on the whole

void gemm(char transpose_a, char transpose_b, size_t inner, const ConstMatrix& a, const ConstMatrix& b,
          const Matrix& out, Into into) {
  const dnnl_status_t status = dnnl_sgemm(transpose_a, transpose_b, dim(out.rows), dim(out.columns),
                                          dim(inner), 1.0F, a.data, dim(a.stride), b.data, dim(b.stride),
                                          into == Into::add ? 1.0F : 0.0F, out.data, dim(out.stride));
  if (status != dnnl_success) throw std::runtime_error("oneDNN refused a matrix product");
}

Matrix columns_of(const Matrix& matrix, size_t first, size_t count) {
  return {matrix.data + first, matrix.rows, count, matrix.stride};
}

/// Calls task(first, count) for each tile of columns. oneDNN takes one thread for what is called from
/// several.
template <typename Task>
void for_each_column_tile(size_t columns, const Task& task) {
  parallel_for((columns + kTileColumns - 1) / kTileColumns, [&](size_t i) {
    const size_t first = i * kTileColumns;
    task(first, std::min(kTileColumns, columns - first));
  });
}

}  // namespace

void multiply(const ConstMatrix& a, const ConstMatrix& b, const Matrix& out, Into into) {
  for_each_column_tile(out.columns, [&](size_t first, size_t count) {
    const ConstMatrix tile(b.data + first, b.rows, count, b.stride);
    gemm('N', 'N', a.columns, a, tile, columns_of(out, first, count), into);
  });
}

void multiply_transposed(const ConstMatrix& a, const ConstMatrix& b, const Matrix& out, Into into) {
  for_each_column_tile(out.columns, [&](size_t first, size_t count) {
    const ConstMatrix tile(b.data + first * b.stride, count, b.columns, b.stride);
    gemm('N', 'T', a.columns, a, tile, columns_of(out, first, count), into);
  });
}

void transposed_multiply(const ConstMatrix& a, const ConstMatrix& b, const Matrix& out) {
  gemm('T', 'N', a.rows, a, b, out, Into::overwrite);
}

}  // namespace kinglet::train
