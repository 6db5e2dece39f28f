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

// Products by oneDNN's GEMM, tile by tile: a tile is one task of parallel_for and one thread's work, so that
// its bits do not depend on the number of threads, and a thread that is held up holds up no other. On plain
// matrices the GEMM is faster than oneDNN's inner product, and it takes windows. Throw std::runtime_error on
// a failure of oneDNN.

/// out = a b, or out += a b.
void multiply(const ConstMatrix& a, const ConstMatrix& b, const Matrix& out, Into into);
/// out = a b^T.
void multiply_transposed(const ConstMatrix& a, const ConstMatrix& b, const Matrix& out, Into into);

/// out = a^T b for some columns of a: one thread, to be called from a task.
void transposed_multiply(const ConstMatrix& a, const ConstMatrix& b, const Matrix& out);

}  // namespace kinglet::train
