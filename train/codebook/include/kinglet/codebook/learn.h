#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "kinglet/converter/token_vectors.h"
#include "kinglet/formats/progress.h"

namespace kinglet::codebook {

using converter::TokenVectors;

/// Only so many tokens of a tweet are looked at: as many as BERT takes.
inline constexpr size_t kMaxTweetTokens = 512;
inline constexpr uint64_t kMinLearnMemory = uint64_t{64} << 20;

struct LearnOptions {
  size_t dimensions = 64;  // of the vectors; fewer if the text has fewer tokens, or less rank
  uint32_t window = 10;    // tokens that stand at most so far apart are neighbours; 0 = all of one tweet
  uint64_t min_count = 5;  // tokens that occur less often get no vector
  double shift = 1;        // log(shift) is taken from each PMI before its positive part
  uint64_t seed = 0;
  /// Bound on memory. Where it is reached, later tweets are sampled, then the rarest pairs forgotten.
  uint64_t memory_bytes = uint64_t{1} << 30;
};

struct LearnReport {
  uint64_t rows = 0;
  uint64_t rows_with_text = 0;   // more than [CLS] and [SEP]
  uint64_t tweets = 0;           // distinct ones with text, that were counted
  uint64_t sampling = 1;         // at the end, one in so many new tweets was counted
  uint64_t occurrences = 0;      // of tokens in these tweets
  uint64_t distinct_tokens = 0;  // before min_count
  uint64_t pairs = 0;            // distinct pairs of tokens with vectors
  uint64_t forgotten_pairs = 0;  // rare pairs, each time they were dropped for want of memory
};

struct Learned {
  TokenVectors vectors;  // empty if no text was found
  LearnReport report;
};

/// Token vectors from the text of rows: tokens that keep company with the same tokens get similar vectors.
/// Each distinct tweet counts once, however many readers saw it. Neighbours within the window are counted,
/// weighed by shifted positive PMI, and factorised by a randomised truncated SVD. Rows are read once, inputs
/// as RowReader takes them. The same rows in the same order and the same options give the same vectors.
/// Throws Error.
Learned learn_token_vectors(const std::vector<std::filesystem::path>& rows, const LearnOptions& options,
                            const ProgressFn& progress = {});

}  // namespace kinglet::codebook
