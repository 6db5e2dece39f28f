#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "kinglet/formats/progress.h"
#include "kinglet/history/builder.h"

#include "languages.h"
#include "row_cache.h"
#include "token_table.h"

namespace kinglet::train {

/// Where the rows come from and what decides their encoding.
struct DatasetOptions {
  std::vector<std::filesystem::path> train;
  std::vector<std::filesystem::path> valid;  // may be empty
  uint64_t holdout_every = 10;
  uint32_t history_periods = 0;               // Settings::history_periods
  uint64_t memory_bytes = uint64_t{1} << 30;  // for the history's counters
  bool text = true;                           // it is read
  std::string token_file;                     // for messages: codebook or vectors
  ProgressFn progress;
};

/// The rows of both stages, encoded with the history that each may see (spec section 2).
struct Dataset {
  history::BuildReport history;
  Languages languages;
  RowCache train;
  RowCache valid;  // without the rows held out
  uint64_t tokens = 0;
  uint64_t known_tokens = 0;
};

/// Reads all rows twice, to count, then to encode, and the rows whose own part they must not see once more.
/// Writes `folder`/history.kinglet, which covers all of both histories; the counters by part are temporary.
/// `known` languages come first in the table, then new ones in bytewise order. Throws Error: unreadable rows,
/// rows without labels, a single row, no reaction at all, a codebook that knows no token.
Dataset make_dataset(const DatasetOptions& options, const TokenTable& tokens, const Languages& known,
                     const std::filesystem::path& folder);

}  // namespace kinglet::train
