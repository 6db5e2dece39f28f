#include "eigenvectors.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "random.h"

namespace kinglet::codebook {
namespace {

// Row-major: a sparse product reads and adds whole rows.
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr size_t kOversampling = 10;
constexpr size_t kPowerIterations = 5;
// Eigenvalues below this share of the largest are rounding errors of directions that the matrix does not
// have.
constexpr double kRankTolerance = 1e-9;

// Eigen cuts products into blocks by the sizes of the caches it finds, and sums in that order: sizes that are
// always the same keep the bits the same.
void fix_block_sizes() {
  Eigen::setCpuCacheSizes(std::ptrdiff_t{32} << 10, std::ptrdiff_t{256} << 10, std::ptrdiff_t{2} << 20);
}

Matrix product(const SparseMatrix& a, const Matrix& x) {
  Matrix y = Matrix::Zero(x.rows(), x.cols());
  for (size_t row = 0; row < a.size(); ++row) {
    auto sum = y.row(static_cast<Eigen::Index>(row));
    for (uint64_t place = a.rows[row]; place < a.rows[row + 1]; ++place) {
      sum += static_cast<double>(a.entries[place].value) * x.row(a.entries[place].column);
    }
  }
  return y;
}

Matrix random_matrix(size_t rows, size_t columns, uint64_t seed) {
  Random random(seed, Stream::range_finder);
  Matrix matrix(rows, columns);
  for (Eigen::Index row = 0; row < matrix.rows(); ++row) {
    for (Eigen::Index column = 0; column < matrix.cols(); ++column) matrix(row, column) = random.normal();
  }
  return matrix;
}

/// An orthonormal basis of the columns' span; `y` is used up.
Matrix orthonormal(Matrix& y) {
  const Eigen::HouseholderQR<Eigen::Ref<Matrix>> factors(y);
  Matrix q = Matrix::Identity(y.rows(), y.cols());
  q.applyOnTheLeft(factors.householderQ());
  return q;
}

// An eigenvector's sign is arbitrary: its entry of largest magnitude is made positive.
void fix_signs(Matrix& vectors) {
  for (Eigen::Index column = 0; column < vectors.cols(); ++column) {
    Eigen::Index largest = 0;
    vectors.col(column).cwiseAbs().maxCoeff(&largest);
    if (vectors(largest, column) < 0) vectors.col(column) *= -1;
  }
}

/// Eigenvalues of largest magnitude, at most `limit`, with their eigenvectors as columns.
struct Spectrum {
  Eigen::VectorXd values;
  Eigen::MatrixXd vectors;
};

Spectrum largest(const Eigen::MatrixXd& symmetric, size_t limit) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(symmetric);
  const Eigen::VectorXd& values = solver.eigenvalues();
  std::vector<Eigen::Index> order(static_cast<size_t>(values.size()));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](Eigen::Index a, Eigen::Index b) { return std::abs(values[a]) > std::abs(values[b]); });
  const double least = kRankTolerance * std::abs(values[order.front()]);
  while (!order.empty() && (order.size() > limit || std::abs(values[order.back()]) <= least))
    order.pop_back();
  Spectrum spectrum{Eigen::VectorXd(order.size()), Eigen::MatrixXd(values.size(), order.size())};
  for (size_t place = 0; place < order.size(); ++place) {
    const auto column = static_cast<Eigen::Index>(place);
    spectrum.values[column] = values[order[place]];
    spectrum.vectors.col(column) = solver.eigenvectors().col(order[place]);
  }
  return spectrum;
}

}  // namespace

uint64_t factorise_bytes_per_row(size_t dimensions) noexcept {
  constexpr uint64_t kMatrices = 3;  // a basis, its product, and a temporary of the factorisation
  return kMatrices * (dimensions + kOversampling) * sizeof(double);
}

RowVectors factorise(const SparseMatrix& matrix, size_t dimensions, uint64_t seed,
                     const ProgressFn& progress) {
  if (matrix.entries.empty()) return {};
  fix_block_sizes();
  const auto report = [&](size_t done) {
    if (progress) progress("factorising", done, kPowerIterations + 2, "products");
  };
  const size_t columns = std::min(matrix.size(), dimensions + kOversampling);
  report(0);
  Matrix y = product(matrix, random_matrix(matrix.size(), columns, seed));
  Matrix q = orthonormal(y);
  for (size_t iteration = 0; iteration < kPowerIterations; ++iteration) {
    report(iteration + 1);
    y = product(matrix, q);
    q = orthonormal(y);
  }
  report(kPowerIterations + 1);
  y = product(matrix, q);
  const Eigen::MatrixXd projected = q.transpose() * y;
  const Spectrum spectrum = largest((projected + projected.transpose()) / 2, dimensions);
  y.noalias() = q * spectrum.vectors;
  fix_signs(y);
  y *= spectrum.values.cwiseAbs().cwiseSqrt().asDiagonal();

  RowVectors vectors{static_cast<size_t>(y.cols()), {}};
  vectors.values.reserve(static_cast<size_t>(y.size()));
  for (Eigen::Index place = 0; place < y.size(); ++place)
    vectors.values.push_back(static_cast<float>(y.data()[place]));
  return vectors;
}

}  // namespace kinglet::codebook
