#pragma once

#include <cstddef>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "kinglet/formats/progress.h"

namespace kinglet::latency {

/// Which rows of a data set are measured.
struct LineChoice {
  size_t minimum_tokens = 0;  // [CLS] and [SEP] included
  /// Only the first row of each tweet.
  bool different_tweets = false;
  /// The first so many of what is left.
  size_t maximum = std::numeric_limits<size_t>::max();
};

/// The chosen rows as they stand in the files, each without its line end. Throws Error as RowReader does, and
/// where no row is left.
std::vector<std::string> read_lines(const std::vector<std::filesystem::path>& inputs,
                                    const LineChoice& choice, const ProgressFn& progress = {});

}  // namespace kinglet::latency
