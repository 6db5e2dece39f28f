#include "sketch_rounding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "kinglet/formats/model_file.h"

#include "column_unit.h"

namespace kinglet::converter {
namespace {

/// Columns taken at a time: what all tokens lack in them stays in the caches.
constexpr uint64_t kColumns = 64;
using Part = std::array<float, kColumns>;

class Rounding {
 public:
  Rounding(std::span<const double> values, uint64_t columns, uint32_t bits, const SketchTokens& tokens)
      : values_(values),
        columns_(columns),
        limit_(bits == 1 ? 0 : kNibbleLimit),
        tokens_(tokens),
        row_weights_(uint64_t{tokens.shape.depth} * tokens.shape.width),
        lacking_(tokens.weights.size()) {
    for (uint32_t depth = 0; depth < tokens.shape.depth; ++depth) {
      for (size_t t = 0; t < tokens.weights.size(); ++t) {
        if (const auto row = row_of(t, depth)) row_weights_[*row] += tokens.weights[t];
      }
    }
    for (const double weight : row_weights_) unit_weights_.push_back(weight + kUnmet);
  }

  NarrowRows run() {
    NarrowRows result;
    result.units.resize(values_.size());
    for (uint64_t begin = 0; begin < columns_; begin += kColumns) {
      if (tokens_.progress) tokens_.progress("rounding the sketch", begin, columns_, "columns");
      const uint64_t count = std::min(kColumns, columns_ - begin);
      for (uint64_t c = begin; c < begin + count; ++c)
        result.scale.push_back(best_unit(values_, columns_, c, unit_weights_, limit_));
      round_columns(begin, count, result);
    }
    return result;
  }

 private:
  std::optional<uint64_t> row_of(size_t token, uint32_t depth) const {
    const uint16_t code = tokens_.codes[token * tokens_.shape.depth + depth];
    if (code == formats::kNoCode) return std::nullopt;
    return uint64_t{depth} * tokens_.shape.width + code;
  }

  /// Depth by depth, and then once more, when each row knows what all others are short of.
  void round_columns(uint64_t begin, uint64_t count, NarrowRows& result) {
    constexpr int kSweeps = 2;
    for (Part& part : lacking_) part.fill(0);
    std::vector<Part> lost(row_weights_.size(), Part{});  // what each row is short of
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
      for (uint32_t depth = 0; depth < tokens_.shape.depth; ++depth)
        round_depth(depth, begin, count, lost, result);
    }
  }

  void round_depth(uint32_t depth, uint64_t begin, uint64_t count, std::vector<Part>& lost,
                   NarrowRows& result) {
    const uint64_t first = uint64_t{depth} * tokens_.shape.width;
    std::vector<Part> rows(tokens_.shape.width, Part{});
    for (size_t t = 0; t < lacking_.size(); ++t) {
      const auto row = row_of(t, depth);
      if (!row) continue;
      add(lacking_[t], -1, lost[*row]);
      add(rows[*row - first], tokens_.weights[t], lacking_[t]);
    }
    for (uint64_t row = first; row < first + rows.size(); ++row) {
      round_row(row, begin, count, rows[row - first], result);
      lost[row] = rows[row - first];
    }
    for (size_t t = 0; t < lacking_.size(); ++t) {
      if (const auto row = row_of(t, depth)) add(lacking_[t], 1, rows[*row - first]);
    }
  }

  static void add(Part& to, double weight, const Part& from) {
    const auto factor = static_cast<float>(weight);
    for (uint64_t c = 0; c < kColumns; ++c) to[c] += factor * from[c];
  }

  /// `part`: in, what the row's tokens lack, weighted; out, what the row itself is short of its values.
  void round_row(uint64_t row, uint64_t begin, uint64_t count, Part& part, NarrowRows& result) const {
    const double weight = row_weights_[row];
    for (uint64_t c = 0; c < count; ++c) {
      const uint64_t at = row * columns_ + begin + c;
      const double wanted = values_[at] + (weight > 0 ? double{part[c]} / weight : 0);
      const double unit = result.scale[begin + c];
      const double units = to_narrow(wanted, unit, limit_);
      result.units[at] = static_cast<int8_t>(units);
      part[c] = static_cast<float>(values_[at] - units * unit);
    }
  }

  /// What a row that no token has weighs in the choice of the unit.
  static constexpr double kUnmet = 1e-3;

  std::span<const double> values_;
  uint64_t columns_;
  double limit_;
  const SketchTokens& tokens_;
  std::vector<double> row_weights_;  // by row: of the tokens that have it
  std::vector<double> unit_weights_;
  std::vector<Part> lacking_;  // by token: of the columns at hand, what its rows are short of so far
};

}  // namespace

NarrowRows round_sketch_rows(std::span<const double> values, uint64_t columns, uint32_t bits,
                             const SketchTokens& tokens) {
  return Rounding(values, columns, bits, tokens).run();
}

}  // namespace kinglet::converter
