#include "row_rounding.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "column_unit.h"
#include "pack.h"

namespace kinglet::converter {
namespace {

constexpr double kByteLimit = 127;

/// What a row that no request adds weighs in the choice of a unit.
constexpr double kUnmet = 1e-3;

/// Columns taken at a time: what rows lack in them stays in the caches.
constexpr uint64_t kPartColumns = 64;
using RowPart = std::array<float, kPartColumns>;

class OnceRounding {
 public:
  OnceRounding(std::span<const double> values, uint64_t columns, uint64_t narrow,
               const ActiveRowSets& requests, size_t diffused)
      : values_(values),
        columns_(columns),
        narrow_(narrow),
        requests_(requests),
        counts_(values.size() / columns, kUnmet) {
    for (const uint32_t row : requests_.rows) ++counts_[row];
    order_rows(diffused);
    if (!requests_.ends.empty()) find_factors();
  }

  ByteRows run(const ProgressFn& progress) {
    ByteRows result;
    result.units.resize(values_.size());
    result.bias.resize(columns_);
    for (uint64_t c = 0; c < columns_; ++c) result.scale.push_back(unit_of_column(c));
    for (uint64_t row = 0; row < values_.size() / columns_; ++row) {
      for (uint64_t c = 0; c < columns_; ++c) round(row, c, 0, result);
    }
    for (uint64_t begin = 0; begin < columns_ && !requests_.ends.empty(); begin += kPartColumns) {
      if (progress) progress("rounding rows", begin, columns_, "columns");
      diffuse(begin, std::min(kPartColumns, columns_ - begin), result);
    }
    return result;
  }

 private:
  /// The rows that make up for each other, the rarest first.
  void order_rows(size_t diffused) {
    order_.resize(counts_.size());
    std::iota(order_.begin(), order_.end(), 0U);
    std::stable_sort(order_.begin(), order_.end(),
                     [&](uint32_t a, uint32_t b) { return counts_[a] < counts_[b]; });
    if (order_.size() > diffused)
      order_.erase(order_.begin(), order_.end() - static_cast<std::ptrdiff_t>(diffused));
  }

  /// The Cholesky factor of how often rows are met together, the bias being met always, each column over its
  /// diagonal. Rows count as met once more by themselves, lest those of few requests are bent to these.
  void find_factors() {
    const auto size = static_cast<Eigen::Index>(order_.size() + 1);
    std::vector<Eigen::Index> places(values_.size() / columns_, -1);
    for (size_t i = 0; i < order_.size(); ++i) places[order_[i]] = static_cast<Eigen::Index>(i + 1);
    Eigen::MatrixXd together = Eigen::MatrixXd::Identity(size, size);
    std::vector<Eigen::Index> met;
    size_t begin = 0;
    for (const size_t end : requests_.ends) {
      met.assign(1, 0);
      for (; begin < end; ++begin) {
        if (places[requests_.rows[begin]] >= 0) met.push_back(places[requests_.rows[begin]]);
      }
      for (const Eigen::Index a : met) {
        for (const Eigen::Index b : met) together(a, b) += 1;
      }
    }
    const Eigen::LLT<Eigen::MatrixXd> cholesky(together);
    const Eigen::MatrixXd factor = cholesky.matrixL();
    shares_ = (factor * factor.diagonal().cwiseInverse().asDiagonal()).cast<float>();
  }

  double limit_of(uint64_t column) const { return column < narrow_ ? kNibbleLimit : kByteLimit; }

  double unit_of_column(uint64_t column) const {
    if (column < narrow_) return best_unit(values_, columns_, column, counts_, kNibbleLimit);
    double largest = 0;
    for (uint64_t at = column; at < values_.size(); at += columns_)
      largest = std::max(largest, std::fabs(values_[at]));
    const double unit = largest / kByteLimit;
    return unit < kNegligible ? 1 : double{to_float(unit, "feature.rows")};
  }

  /// Returns what the row is short of its value.
  double round(uint64_t row, uint64_t column, double more, ByteRows& result) const {
    const uint64_t at = row * columns_ + column;
    const double unit = result.scale[column];
    const double units = to_narrow(values_[at] + more, unit, limit_of(column));
    result.units[at] = static_cast<int8_t>(units);
    return values_[at] - units * unit;
  }

  void diffuse(uint64_t begin, uint64_t count, ByteRows& result) {
    std::vector<RowPart> lacking(order_.size() + 1, RowPart{});
    for (size_t i = order_.size(); i > 0; --i) {
      const RowPart more = left_for(i, lacking);
      for (uint64_t c = 0; c < count; ++c)
        lacking[i][c] = static_cast<float>(round(order_[i - 1], begin + c, double{more[c]}, result));
    }
    const RowPart rest = left_for(0, lacking);
    for (uint64_t c = 0; c < count; ++c) result.bias[begin + c] = double{rest[c]};
  }

  /// What row `i` of the order should make up for of all behind it.
  RowPart left_for(size_t i, const std::vector<RowPart>& lacking) const {
    RowPart total{};
    const float* shares = shares_.col(static_cast<Eigen::Index>(i)).data();
    for (size_t j = i + 1; j < lacking.size(); ++j) {
      for (uint64_t c = 0; c < kPartColumns; ++c) total[c] += shares[j] * lacking[j][c];
    }
    return total;
  }

  std::span<const double> values_;
  uint64_t columns_;
  uint64_t narrow_;
  const ActiveRowSets& requests_;
  std::vector<double> counts_;  // by row: of the requests that add it
  std::vector<uint32_t> order_;
  Eigen::MatrixXf shares_;  // [1 + order_][1 + order_], the lower triangle; the bias first
};

}  // namespace

ByteRows round_once_rows(std::span<const double> values, uint64_t columns, uint64_t narrow,
                         const ActiveRowSets& requests, const ProgressFn& progress, size_t diffused) {
  return OnceRounding(values, columns, narrow, requests, diffused).run(progress);
}

}  // namespace kinglet::converter
