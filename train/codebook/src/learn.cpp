#include "kinglet/codebook/learn.h"

#include <algorithm>
#include <string>

#include "kinglet/formats/error.h"
#include "kinglet/formats/row_reader.h"

#include "cooccurrence.h"
#include "eigenvectors.h"
#include "pmi.h"
#include "tweet_sample.h"

namespace kinglet::codebook {
namespace {

constexpr uint64_t kRowsAReport = 4'096;

// The shares of memory while rows are counted: pairs 1/2, tweets 1/4, tokens 1/8. The PMI matrix takes as
// much as the pairs' table (1/4), and is alone with the factorisation's 1/2 when the table is gone.
uint64_t pair_bytes(const LearnOptions& options) {
  return options.memory_bytes / 2;
}
uint64_t tweet_bytes(const LearnOptions& options) {
  return options.memory_bytes / 4;
}
uint64_t token_bytes(const LearnOptions& options) {
  return options.memory_bytes / 8;
}
uint64_t factorise_bytes(const LearnOptions& options) {
  return options.memory_bytes / 2;
}

void check(const LearnOptions& options) {
  constexpr size_t kMostDimensions = 1'024;
  if (options.dimensions < 1 || options.dimensions > kMostDimensions)
    throw Error("codebook", "", "expected 1 to " + std::to_string(kMostDimensions) + " dimensions");
  if (!(options.shift >= 1 && options.shift <= 1e6))
    throw Error("codebook", "", "expected a shift of 1 to 1e6");
  if (options.memory_bytes < kMinLearnMemory)
    throw Error("codebook", "",
                "expected at least " + std::to_string(kMinLearnMemory >> 20) + " MiB of memory");
}

// The tokens of a row's text, without [CLS] and [SEP].
std::span<const uint32_t> text_of(const Row& row) {
  return row.tokens.subspan(1, row.tokens.size() - 2);
}

void count_rows(const std::vector<std::filesystem::path>& rows, const LearnOptions& options,
                const ProgressFn& progress, Cooccurrence& counts, LearnReport& report) {
  formats::RowReader reader(rows);
  TweetSample sample(tweet_bytes(options));
  Row row;
  while (reader.next(row)) {
    if (progress && report.rows % kRowsAReport == 0)
      progress("counting neighbours", reader.bytes_read(), reader.total_bytes(), "bytes");
    ++report.rows;
    const auto text = text_of(row);
    if (text.empty()) continue;
    ++report.rows_with_text;
    const uint32_t weight = sample.take(row.tweet_id);
    if (weight == 0) continue;
    ++report.tweets;
    if (!counts.add(text, weight)) {
      throw reader.error_here("more than " + std::to_string(counts.max_tokens()) +
                              " distinct tokens: expected fewer, or more memory");
    }
  }
  report.sampling = sample.weight();
}

// Rows of the matrix without entries say nothing of their tokens.
TokenVectors vectors_of(const std::vector<uint32_t>& vocabulary, const SparseMatrix& matrix,
                        RowVectors rows) {
  TokenVectors vectors;
  vectors.dimensions = rows.dimensions;
  for (size_t row = 0; row < vocabulary.size() && rows.dimensions > 0; ++row) {
    if (matrix.rows[row] == matrix.rows[row + 1]) continue;
    const auto from = rows.values.begin() + static_cast<std::ptrdiff_t>(row * rows.dimensions);
    const auto to = rows.values.begin() + static_cast<std::ptrdiff_t>(vectors.tokens() * rows.dimensions);
    std::copy_n(from, rows.dimensions, to);  // to <= from
    vectors.ids.push_back(vocabulary[row]);
  }
  rows.values.resize(vectors.tokens() * rows.dimensions);
  vectors.values = std::move(rows.values);
  return vectors;
}

}  // namespace

Learned learn_token_vectors(const std::vector<std::filesystem::path>& rows, const LearnOptions& options,
                            const ProgressFn& progress) {
  check(options);
  Learned learned;
  LearnReport& report = learned.report;
  std::vector<uint32_t> vocabulary;
  SparseMatrix matrix;
  {
    const uint32_t window = options.window == 0 ? static_cast<uint32_t>(kMaxTweetTokens) : options.window;
    Cooccurrence counts(window, pair_bytes(options), token_bytes(options));
    count_rows(rows, options, progress, counts, report);
    for (const auto& [token, count] : counts.tokens()) report.occurrences += count.occurrences;
    report.distinct_tokens = counts.tokens().size();
    report.forgotten_pairs = counts.pairs().forgotten();
    const uint64_t limit = factorise_bytes(options) / factorise_bytes_per_row(options.dimensions);
    vocabulary = choose_vocabulary(counts, options.min_count, limit);
    matrix = positive_pmi(counts, vocabulary, options.shift);
  }
  report.pairs = matrix.entries.size() / 2;
  learned.vectors =
      vectors_of(vocabulary, matrix, factorise(matrix, options.dimensions, options.seed, progress));
  return learned;
}

}  // namespace kinglet::codebook
