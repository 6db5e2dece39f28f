#include "pmi.h"

#include <algorithm>
#include <utility>

#include "logarithm.h"

namespace kinglet::codebook {
namespace {

/// A pair of the vocabulary, by row numbers, with its PMI.
struct WeighedPair {
  uint32_t row;
  uint32_t column;
  float value;
};

class Weigher {
 public:
  Weigher(const Cooccurrence& counts, const std::vector<uint32_t>& vocabulary, double shift)
      : counts_(counts), log_shift_(logarithm(shift)) {
    for (size_t row = 0; row < vocabulary.size(); ++row) {
      row_of_.emplace(vocabulary[row], static_cast<uint32_t>(row));
      log_neighbours_.push_back(
          logarithm(static_cast<double>(counts.tokens().at(vocabulary[row]).neighbours)));
    }
    uint64_t total = 0;
    for (const auto& [token, count] : counts.tokens()) total += count.neighbours;
    log_total_ = total == 0 ? 0 : logarithm(static_cast<double>(total));
  }

  /// Calls use(pair) for each pair of positive weight, in no particular order.
  template <typename Use>
  void for_each(Use&& use) const {
    counts_.pairs().for_each([&](uint64_t key, uint32_t count) {
      const auto first = row_of_.find(Cooccurrence::first_of(key));
      const auto second = row_of_.find(Cooccurrence::second_of(key));
      if (first == row_of_.end() || second == row_of_.end()) return;
      const double pmi = logarithm(count) + log_total_ - log_neighbours_[first->second] -
                         log_neighbours_[second->second] - log_shift_;
      const auto value = static_cast<float>(pmi);
      if (value > 0) use(WeighedPair{first->second, second->second, value});
    });
  }

 private:
  const Cooccurrence& counts_;
  double log_shift_;
  double log_total_ = 0;
  tsl::robin_map<uint32_t, uint32_t> row_of_;
  std::vector<double> log_neighbours_;
};

}  // namespace

std::vector<uint32_t> choose_vocabulary(const Cooccurrence& counts, uint64_t min_count, size_t limit) {
  std::vector<std::pair<uint64_t, uint32_t>> frequent;  // occurrences, id
  for (const auto& [token, count] : counts.tokens()) {
    if (count.occurrences >= min_count && count.neighbours > 0)
      frequent.emplace_back(count.occurrences, token);
  }
  std::sort(frequent.begin(), frequent.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  frequent.resize(std::min(frequent.size(), limit));
  std::vector<uint32_t> vocabulary;
  vocabulary.reserve(frequent.size());
  for (const auto& [occurrences, token] : frequent) vocabulary.push_back(token);
  std::sort(vocabulary.begin(), vocabulary.end());
  return vocabulary;
}

SparseMatrix positive_pmi(const Cooccurrence& counts, const std::vector<uint32_t>& vocabulary, double shift) {
  const Weigher weigher(counts, vocabulary, shift);
  SparseMatrix matrix;
  matrix.rows.assign(vocabulary.size() + 1, 0);
  weigher.for_each([&](const WeighedPair& pair) {
    ++matrix.rows[pair.row + 1];
    ++matrix.rows[pair.column + 1];
  });
  for (size_t row = 0; row < vocabulary.size(); ++row) matrix.rows[row + 1] += matrix.rows[row];
  matrix.entries.resize(matrix.rows.back());
  std::vector<uint64_t> next(matrix.rows.begin(), matrix.rows.end() - 1);
  weigher.for_each([&](const WeighedPair& pair) {
    matrix.entries[next[pair.row]++] = {pair.column, pair.value};
    matrix.entries[next[pair.column]++] = {pair.row, pair.value};
  });
  for (size_t row = 0; row < vocabulary.size(); ++row) {
    std::sort(matrix.entries.begin() + static_cast<std::ptrdiff_t>(matrix.rows[row]),
              matrix.entries.begin() + static_cast<std::ptrdiff_t>(matrix.rows[row + 1]),
              [](const auto& a, const auto& b) { return a.column < b.column; });
  }
  return matrix;
}

}  // namespace kinglet::codebook
