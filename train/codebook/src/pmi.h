#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cooccurrence.h"

namespace kinglet::codebook {

/// A symmetric sparse matrix, row by row, both triangles; columns ascend within a row.
struct SparseMatrix {
  struct Entry {
    uint32_t column;
    float value;
  };
  std::vector<uint64_t> rows{0};  // entries of row r: [rows[r], rows[r + 1])
  std::vector<Entry> entries;

  size_t size() const noexcept { return rows.size() - 1; }
};

/// Ids of the tokens that occur at least `min_count` times and have neighbours, at most the `limit` most
/// frequent (of equals, those with the lower ids), ascending.
std::vector<uint32_t> choose_vocabulary(const Cooccurrence& counts, uint64_t min_count, size_t limit);

/// Shifted positive PMI of the vocabulary's pairs: max(0, log(c N / (n_a n_b)) - log(shift)), c being how
/// often the pair was counted, n a token's neighbours, N the sum of all n. Zeros are left out. Rows are
/// numbered as `vocabulary`.
SparseMatrix positive_pmi(const Cooccurrence& counts, const std::vector<uint32_t>& vocabulary, double shift);

}  // namespace kinglet::codebook
