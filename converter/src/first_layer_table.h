#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "layout_builder.h"
#include "network.h"
#include "row_rounding.h"

namespace kinglet::converter {

/// Values of numeric features that get a row of their own: [numeric of the layout][ascending values].
using FrequentValues = std::vector<std::vector<double>>;

/// A token that gets a row of its own, and the sketch's rows (one a depth) that it stands for.
struct FrequentToken {
  uint32_t token = 0;
  std::vector<uint32_t> rows;
};

/// What rows of its own go to.
struct Frequent {
  FrequentValues values;
  std::vector<FrequentToken> tokens;  // only with one norm a tweet
  uint64_t vocabulary = 0;            // tokens of the codebook
  ActiveRowSets once;                 // of flags, embeddings and frequent values, by calibration request
};

/// The first layer in double: l1 and projection side by side, each padded with zeros to whole panels, the
/// whole to whole byte lanes. Row r of the table holds column r of both; an embedding's category is one row,
/// multiplied through the columns that read it. The bias holds every numeric feature at 0.
class FirstLayerTable {
 public:
  FirstLayerTable(const Network& network, const InputLayout& layout);
  /// Other blocks of the same rows: `values` is [rows][stride], `bias` [stride].
  FirstLayerTable(uint64_t block, std::vector<double> values, std::vector<double> bias)
      : block_(block), stride_(bias.size()), values_(std::move(values)), bias_(std::move(bias)) {}

  uint64_t block() const { return block_; }    // outputs of one block, padded
  uint64_t stride() const { return stride_; }  // of a row
  uint64_t rows() const { return values_.size() / stride_; }
  std::span<const double> values() const { return values_; }  // [rows][stride]
  std::span<const double> bias() const { return bias_; }

  /// Rows that stand for numeric features at their frequent values, one behind the other: what the value's
  /// encoded rows add beyond those of 0.
  std::vector<double> frequent_rows(const InputLayout& layout, const FrequentValues& frequent) const;

  /// The sum of each group's rows, one behind the other.
  std::vector<double> sums(const std::vector<std::vector<uint32_t>>& groups) const;

 private:
  void fill_block(const Linear& linear, const Network& network, const InputLayout& layout, uint64_t column);
  void fill_embedding(const Linear& linear, const EmbeddingTable& table, uint64_t input, uint64_t row,
                      uint64_t column);
  void add_row(uint64_t row, double weight, double* sum) const;

  uint64_t block_;
  uint64_t stride_;
  std::vector<double> values_;
  std::vector<double> bias_;
};

/// Names the rows of frequent values, which stand from row `first_row` of the plan's tables on.
void add_frequent_values(const FrequentValues& frequent, uint64_t first_row, fbs::FeatureLayoutT& layout);

}  // namespace kinglet::converter
