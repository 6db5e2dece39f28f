#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kinglet/formats/progress.h"

#include "pmi.h"

namespace kinglet::codebook {

/// The best approximation of low rank to a symmetric matrix, as one vector a row: U |L|^(1/2), where the
/// columns of U are eigenvectors of the eigenvalues L of largest magnitude (so |L| are the singular values).
/// The first dimension has the largest.
struct RowVectors {
  size_t dimensions = 0;
  std::vector<float> values;  // [rows][dimensions]
};

/// What factorise() takes beside its matrix and its result, for each row of the matrix.
uint64_t factorise_bytes_per_row(size_t dimensions) noexcept;

/// Randomised truncated SVD (Halko, Martinsson, Tropp 2011, with power iterations), started from `seed`.
/// `dimensions` is an upper bound: directions that the matrix does not have are left out. The same matrix and
/// seed give the same bits, whatever the CPU's caches.
RowVectors factorise(const SparseMatrix& matrix, size_t dimensions, uint64_t seed,
                     const ProgressFn& progress);

}  // namespace kinglet::codebook
