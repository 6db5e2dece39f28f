#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "kinglet/formats/progress.h"
#include "kinglet/latency/latency.h"
#include "kinglet/latency/quantiles.h"

namespace kinglet::latency {

/// How long tweets take that are ranked for one reader (PreparedTweet, PreparedReader): `batch` prepared
/// tweets for one prepared reader, by candidate; one prepared pair by itself; and preparing a tweet from its
/// request.
struct Ranking {
  size_t batch = 0;
  Quantiles candidate;
  Quantiles pair;
  Quantiles prepare_tweet;
};

/// The tweets are those of `lines`, in groups of `batch`, the last ones left out where they fill none; each
/// group is ranked for the reader of its first. Each of options.rounds times all tweets are prepared, then
/// all groups ranked, then all pairs scored alone. Throws Error as measure(), and where there are fewer lines
/// than `batch`.
Ranking measure_ranking(const std::filesystem::path& model, const std::filesystem::path& history,
                        const std::vector<std::string>& lines, size_t batch, const Options& options = {},
                        const ProgressFn& progress = {});

}  // namespace kinglet::latency
