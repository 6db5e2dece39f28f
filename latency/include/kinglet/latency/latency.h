#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kinglet/formats/progress.h"
#include "kinglet/kernels/isa.h"
#include "kinglet/latency/quantiles.h"

namespace kinglet::latency {

/// The parts of a row's way, in its order: bytes to fields; the history's counters; the other features; the
/// sketch, encoded numbers and their rows' sum; the plan's steps up to the logits; logits and probabilities.
enum class Stage : uint8_t { parse, history, features, first_layer, hidden, output };
inline constexpr std::array<std::string_view, 6> kStageNames = {"parse",       "history", "features",
                                                                "first_layer", "hidden",  "output"};

/// Times of rows cut into stages, of rounds of their own: a stage's clock reads are not in times of whole
/// rows.
struct StageTimes {
  std::array<Quantiles, kStageNames.size()> stages;
  /// The last three of a row together: the network.
  Quantiles score;
};

struct Options {
  bool huge_pages = false;  // a copy of the model in huge pages, rather than the mapped file
  /// Default: as Model::open chooses.
  std::optional<kernels::Isa> isa;
  /// How often all rows are gone through, warm.
  size_t rounds = 5;
  /// How many of them are also measured cold.
  size_t cold_rows = 200;
  /// How often the model is opened again for its first score.
  size_t loads = 20;
  /// How often the first row is scored in a row, in turns with a loop that only counts.
  size_t repeats = 0;
};

/// A row scored again and again, and a loop of the same length in turns with it: what the machine does to any
/// work, and what the score adds to it.
struct Steadiness {
  Quantiles score;
  Quantiles loop;
  /// p99.9 / p50 of the score over p99.9 / p50 of the loop.
  std::optional<double> ratio;
};

struct Report {
  std::string cpu;
  kernels::Isa isa{};
  std::string precision;
  std::string layout;
  uint64_t model_bytes = 0;
  size_t rows = 0;

  /// A row's bytes to its probabilities, the rows one after the other.
  Quantiles warm;
  StageTimes warm_stages;
  /// A row's bytes to its probabilities, after memory twice the size of the last cache was read.
  Quantiles cold;
  StageTimes cold_stages;
  /// Model::open, a Session and its first score, the file being in the page cache.
  Quantiles load;
  std::optional<Steadiness> steadiness;

  /// Of the model file, a row: mean, and the 99th percentile as of times.
  double bytes_touched = 0;
  std::optional<double> bytes_touched_p99;
  /// What a plain read of so many bytes of the model file from end to end, again and again, reaches: median
  /// over the rounds.
  uint64_t probe_bytes = 0;
  double probe_gb_per_s = 0;
  /// bytes_touched in the median time of warm_stages.score, over that.
  double bandwidth_share = 0;

  /// Calls of malloc, free and their like while the rows were scored; where this build can count them.
  std::optional<uint64_t> allocations;
};

/// Scores rows (lines without their ends, of read_lines) as a service would, on the caller's thread, one at a
/// time. Throws Error where model or history cannot be opened, or where the model needs more than a row.
Report measure(const std::filesystem::path& model, const std::filesystem::path& history,
               const std::vector<std::string>& lines, const Options& options = {},
               const ProgressFn& progress = {});

}  // namespace kinglet::latency
