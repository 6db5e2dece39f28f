#pragma once

#include <cstddef>

namespace kinglet::train {

/// A row-major matrix of floats, or a window of one.
struct Matrix {
  float* data;
  size_t rows;
  size_t columns;
  size_t stride;  // floats from one row to the next
};
struct ConstMatrix {
  ConstMatrix(const float* d, size_t r, size_t c, size_t s) : data(d), rows(r), columns(c), stride(s) {}
  ConstMatrix(const Matrix& m)
      : data(m.data), rows(m.rows), columns(m.columns), stride(m.stride) {}  // NOLINT
  const float* data;
  size_t rows;
  size_t columns;
  size_t stride;
};

enum class Into { overwrite, add };

// oneDNN's GEMM on all its threads; for one number of threads the same bits each time. On plain matrices it
// is faster than oneDNN's inner product, and it takes windows. Throw std::runtime_error on a failure of
// oneDNN.

/// out = a b, or out += a b.
void multiply(const ConstMatrix& a, const ConstMatrix& b, const Matrix& out, Into into);
/// out = a b^T.
void multiply_transposed(const ConstMatrix& a, const ConstMatrix& b, const Matrix& out, Into into);
/// out = a^T b.
void transposed_multiply(const ConstMatrix& a, const ConstMatrix& b, const Matrix& out, Into into);

}  // namespace kinglet::train
