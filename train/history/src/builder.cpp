#include "kinglet/history/builder.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "kinglet/formats/error.h"
#include "kinglet/formats/history_writer.h"
#include "kinglet/formats/row_reader.h"

#include "counter_map.h"
#include "follower_sets.h"
#include "row_counters.h"
#include "row_fingerprint.h"

namespace kinglet::history {
namespace {

using formats::Counts;
using formats::Fingerprint;
using formats::HistoryPart;
using formats::HistoryWriter;
using formats::part_fingerprint;

constexpr int64_t kSecondsPerDay = 86'400;
constexpr int64_t kChunks = 10;
constexpr uint64_t kProgressRows = 4'096;
constexpr uint64_t kProgressKeys = uint64_t{1} << 20;

/// Counts one history, and beside it the same by part where that is wanted.
class PartCounters {
 public:
  PartCounters(const std::filesystem::path& output, const BuildOptions& options, HistoryPart history)
      : by_part_(options.own_parts && options.own_parts->history == history),
        periods_(by_part_ ? options.own_parts->periods : std::nullopt) {
    const ProgressFn& progress = options.progress;
    SortedRuns::Merging merging;
    if (progress) {
      merging = [progress](uint64_t done, uint64_t total) {
        progress("merging counters", done, total, "records");
      };
    }
    // A half of the memory for the tables; the rest is for followers, merging, and the segment being written.
    const uint64_t tables = options.memory_bytes / 2;
    maps_.reserve(2);
    maps_.emplace_back(output, by_part_ ? tables / 2 : tables, merging);
    if (by_part_) maps_.emplace_back(output, tables / 2, merging);
  }

  /// `part`: the row's day or chunk.
  void add(const RowCounters& row, int64_t part) {
    const int64_t last = periods_ ? periods_->of(part) : part;
    const int64_t first = periods_ ? 0 : part;
    for (const Fingerprint key : row.keys()) {
      maps_[0].add(key, row.increments());
      if (!by_part_) continue;
      for (int64_t p = first; p <= last; ++p) maps_[1].add(part_fingerprint(key, p), row.increments());
    }
  }

  /// The whole history's counters, then those by part if wanted.
  std::vector<SortedRuns> finish() && {
    std::vector<SortedRuns> runs;
    for (CounterMap& map : maps_) runs.push_back(std::move(map).finish());
    return runs;
  }

 private:
  bool by_part_;
  std::optional<Periods> periods_;
  std::vector<CounterMap> maps_;
};

/// Writes one table of counters from finished runs: once through to learn its shape, once to fill it.
uint64_t write_counters(HistoryWriter& writer, HistoryPart part, const SortedRuns& runs,
                        const ProgressFn& progress) {
  constexpr unsigned kBits = formats::FingerprintTable::kMaxSegmentBits;
  std::vector<uint64_t> counted(size_t{1} << kBits);
  Fingerprint key = 0;
  Counts counts;
  for (CounterCursor cursor(runs); cursor.next(key, counts);) ++counted[key >> (64 - kBits)];
  const uint64_t keys = std::accumulate(counted.begin(), counted.end(), uint64_t{0});

  const unsigned bits = formats::history_segment_bits(keys);
  std::vector<uint64_t> keys_per_segment(size_t{1} << bits);
  for (size_t i = 0; i < counted.size(); ++i) keys_per_segment[i >> (kBits - bits)] += counted[i];
  writer.begin_counters(part, keys_per_segment);
  uint64_t done = 0;
  for (CounterCursor cursor(runs); cursor.next(key, counts);) {
    if (progress && done++ % kProgressKeys == 0) progress("writing counters", done, keys, "keys");
    writer.add_counters(key, counts);
  }
  return keys;
}

}  // namespace

int64_t day_of(const Row& row) noexcept {
  return row.time() / kSecondsPerDay;
}

int64_t day_shown(const Row& row) noexcept {
  return row.tweet_timestamp / kSecondsPerDay;
}

int64_t Periods::of(int64_t day) const noexcept {
  const int64_t days = last_day - first_day + 1;
  const int64_t inside = std::clamp(day, first_day, last_day) - first_day;
  return days <= int64_t{count} ? inside : inside * int64_t{count} / days;
}

ValidPlace valid_place(uint64_t index, uint64_t holdout_every) noexcept {
  if (holdout_every == 0) return {false, static_cast<int64_t>(index % kChunks)};
  // Before line `index`, one line was held out for every holdout_every begun.
  const uint64_t held_out_before = (index + holdout_every - 1) / holdout_every;
  return {index % holdout_every == 0, static_cast<int64_t>((index - held_out_before) % kChunks)};
}

struct HistoryBuilder::State {
  State(std::filesystem::path path, BuildOptions settings)
      : output(std::move(path)),
        options(std::move(settings)),
        followers(output, options.memory_bytes, options.progress),
        counters(std::in_place, output, options, HistoryPart::train) {
    info.holdout_every = options.holdout_every;
  }

  void end(HistoryPart part) {
    std::vector<SortedRuns> finished = std::move(*counters).finish();
    counters.reset();
    for (const SortedRuns& runs : finished) spilled_bytes += runs.written_bytes();
    if (finished.size() > 1) own = std::move(finished[1]);
    whole[static_cast<size_t>(part)] = std::move(finished[0]);
  }

  void begin_valid() {
    if (in_valid) return;
    end(HistoryPart::train);
    counters.emplace(output, options, HistoryPart::valid);
    in_valid = true;
  }

  void write_own_parts() {
    HistoryWriter writer(options.own_parts->output);
    write_counters(writer, options.own_parts->history, *own, options.progress);
    writer.commit(info);
  }

  std::array<RowFingerprint, 2> fingerprints;  // first: its alignment is the largest
  std::filesystem::path output;
  BuildOptions options;
  FollowerSets followers;
  std::optional<PartCounters> counters;  // of the history being counted
  std::array<std::optional<SortedRuns>, 2> whole;
  std::optional<SortedRuns> own;
  RowCounters row_counters;
  formats::HistoryInfo info;
  uint64_t valid_index = 0;
  uint64_t spilled_bytes = 0;
  bool in_valid = false;
};

HistoryBuilder::HistoryBuilder(std::filesystem::path output, BuildOptions options) {
  if (options.memory_bytes < kMinMemory) throw Error("a history build needs at least 1M of memory");
  state_ = std::make_unique<State>(std::move(output), std::move(options));
}

HistoryBuilder::~HistoryBuilder() = default;

void HistoryBuilder::add_train(const Row& row) {
  State& state = *state_;
  if (state.in_valid) throw std::logic_error("training rows come before validation rows");
  RowCounters& counters = state.row_counters;
  counters.set(row);
  state.counters->add(counters, day_of(row));
  state.fingerprints[0].add(row, counters);
  if (row.engagee_follows_engager) state.followers.add(counters.author(), row.author_id, counters.reader());
  ++state.info.train_rows;
}

void HistoryBuilder::add_valid(const Row& row) {
  State& state = *state_;
  state.begin_valid();
  const ValidPlace place = valid_place(state.valid_index++, state.info.holdout_every);
  if (place.held_out) {
    ++state.info.held_out_rows;
    return;
  }
  state.row_counters.set(row);
  state.counters->add(state.row_counters, place.chunk);
  state.fingerprints[1].add(row, state.row_counters);
  ++state.info.valid_rows;
}

BuildReport HistoryBuilder::finish() {
  State& state = *state_;
  state.begin_valid();
  state.end(HistoryPart::valid);
  state.info.train_fingerprint = state.fingerprints[0].value();
  state.info.valid_fingerprint = state.fingerprints[1].value();
  if (state.own) state.write_own_parts();

  BuildReport report;
  report.spilled_bytes = state.spilled_bytes;
  HistoryWriter writer(state.output);
  report.train_keys = write_counters(writer, HistoryPart::train, *state.whole[0], state.options.progress);
  report.valid_keys = write_counters(writer, HistoryPart::valid, *state.whole[1], state.options.progress);
  state.whole = {};
  writer.begin_similar();
  std::move(state.followers)
      .find_similar([&](Fingerprint author, std::span<const formats::SimilarAuthor> similar) {
        writer.add_similar(author, similar);
        ++report.authors_with_similar;
      });
  report.file_bytes = writer.commit(state.info);
  report.info = state.info;
  return report;
}

namespace {

template <typename Add>
void for_each_row(const std::vector<std::filesystem::path>& inputs, std::string_view stage,
                  const ProgressFn& progress, const Add& add) {
  if (inputs.empty()) return;
  formats::RowReaderOptions options;
  options.require_labels = true;
  formats::RowReader reader(inputs, options);
  for (Row row; reader.next(row);) {
    if (progress && reader.row_index() % kProgressRows == 0) {
      progress(stage, reader.bytes_read(), reader.total_bytes(), "bytes");
    }
    add(row);
  }
}

}  // namespace

BuildReport build_history(const std::vector<std::filesystem::path>& train,
                          const std::vector<std::filesystem::path>& valid,
                          const std::filesystem::path& output, BuildOptions options) {
  const ProgressFn progress = options.progress;
  HistoryBuilder builder(output, std::move(options));
  for_each_row(train, "counting training rows", progress, [&](const Row& row) { builder.add_train(row); });
  for_each_row(valid, "counting validation rows", progress, [&](const Row& row) { builder.add_valid(row); });
  return builder.finish();
}

}  // namespace kinglet::history
