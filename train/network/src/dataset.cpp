#include "dataset.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "kinglet/formats/error.h"
#include "kinglet/formats/history_file.h"
#include "kinglet/formats/row_reader.h"

#include "row_encoder.h"

namespace kinglet::train {
namespace {

using features::HistorySource;
using formats::HistoryFile;
using formats::HistoryPart;
using history::HistoryBuilder;

/// Files that are gone when the object is; a run that was killed leaves them, and the next one overwrites and
/// removes them.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::filesystem::path path) : path_(std::move(path)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

template <typename Use>
void for_each_row(const std::vector<std::filesystem::path>& inputs, std::string_view stage,
                  const ProgressFn& progress, const Use& use) {
  constexpr uint64_t kProgressRows = 4'096;
  if (inputs.empty()) return;
  formats::RowReaderOptions options;
  options.require_labels = true;
  formats::RowReader reader(inputs, options);
  for (Row row; reader.next(row);) {
    if (progress && reader.row_index() % kProgressRows == 0) {
      progress(stage, reader.bytes_read(), reader.total_bytes(), "bytes");
    }
    use(row, reader.row_index());
  }
}

/// The day whose history a row sees where the days are cut into periods. Reactions may come months later:
/// were their days to count, a few would stretch the periods of all.
int64_t seen_on(const Row& row) noexcept {
  return std::min(history::day_shown(row), history::day_of(row));
}

class Maker {
 public:
  Maker(const DatasetOptions& options, const TokenTable& tokens, const std::filesystem::path& folder)
      : options_(options),
        tokens_(tokens),
        folder_(folder),
        own_train_(folder / ".own-days.kinglet"),
        own_valid_(folder / ".own-chunks.kinglet") {}

  Dataset run(const Languages& known) {
    dataset_.languages = known;
    count();
    if (options_.history_periods > 0) count_periods();
    if (!options_.valid.empty()) count_chunks();
    const HistoryFile history(folder_ / "history.kinglet");
    RowEncoder encoder(tokens_, dataset_.languages);
    encode_train(history, encoder);
    if (!options_.valid.empty()) encode_valid(history, encoder);
    dataset_.tokens = encoder.tokens();
    dataset_.known_tokens = encoder.known_tokens();
    check();
    return std::move(dataset_);
  }

 private:
  history::BuildOptions build_options() const {
    history::BuildOptions build;
    build.holdout_every = options_.holdout_every;
    build.memory_bytes = options_.memory_bytes;
    build.progress = options_.progress;
    return build;
  }

  void count() {
    history::BuildOptions build = build_options();
    if (options_.history_periods == 0)
      build.own_parts = {HistoryPart::train, own_train_.path(), std::nullopt};
    HistoryBuilder builder(folder_ / "history.kinglet", build);
    const size_t known = dataset_.languages.names().size();
    for_each_row(options_.train, "counting training rows", options_.progress, [&](const Row& row, uint64_t) {
      builder.add_train(row);
      dataset_.languages.add(row.language);
      first_day_ = std::min(first_day_, seen_on(row));
      last_day_ = std::max(last_day_, seen_on(row));
    });
    for_each_row(options_.valid, "counting validation rows", options_.progress,
                 [&](const Row& row, uint64_t index) {
                   builder.add_valid(row);
                   if (!history::valid_place(index, options_.holdout_every).held_out)
                     dataset_.languages.add(row.language);
                 });
    dataset_.languages.sort_from(known);
    dataset_.history = builder.finish();
  }

  /// The train history once more, by period.
  void count_periods() {
    periods_ = history::Periods{first_day_, last_day_, options_.history_periods};
    count_again(options_.train, "counting training periods",
                {HistoryPart::train, own_train_.path(), periods_},
                [](HistoryBuilder& builder, const Row& row) { builder.add_train(row); });
  }

  /// The validation history once more, by chunk.
  void count_chunks() {
    count_again(options_.valid, "counting validation chunks",
                {HistoryPart::valid, own_valid_.path(), std::nullopt},
                [](HistoryBuilder& builder, const Row& row) { builder.add_valid(row); });
  }

  template <typename Add>
  void count_again(const std::vector<std::filesystem::path>& rows, std::string_view stage,
                   history::OwnParts own, const Add& add) {
    const TemporaryFile unused(folder_ / ".unused.kinglet");
    history::BuildOptions build = build_options();
    build.own_parts = std::move(own);
    HistoryBuilder builder(unused.path(), build);
    for_each_row(rows, stage, options_.progress, [&](const Row& row, uint64_t) { add(builder, row); });
    builder.finish();
  }

  void encode_train(const HistoryFile& history, RowEncoder& encoder) {
    const HistoryFile own(own_train_.path());
    HistorySource source{&history, &own, HistoryPart::train, 0, !periods_};
    dataset_.train = RowCache(folder_);
    for_each_row(options_.train, "encoding training rows", options_.progress, [&](const Row& row, uint64_t) {
      const int64_t day = history::day_of(row);
      source.own_part = periods_ ? periods_->of(seen_on(row)) : day;
      dataset_.train.add(encoder.encode(row, source), day);
    });
    dataset_.train.finish();
  }

  void encode_valid(const HistoryFile& history, RowEncoder& encoder) {
    const HistoryFile own(own_valid_.path());
    HistorySource source{&history, &own, HistoryPart::valid, 0, true};
    dataset_.valid = RowCache(folder_);
    for_each_row(options_.valid, "encoding validation rows", options_.progress,
                 [&](const Row& row, uint64_t index) {
                   const history::ValidPlace place = history::valid_place(index, options_.holdout_every);
                   if (place.held_out) return;
                   source.own_part = place.chunk;
                   dataset_.valid.add(encoder.encode(row, source), place.chunk);
                 });
    dataset_.valid.finish();
  }

  void check() const {
    const auto& positives = dataset_.train.positives();
    if (dataset_.train.rows() < 2) throw Error("one training row: batch normalisation needs 2 or more");
    if (std::accumulate(positives.begin(), positives.end(), uint64_t{0}) == 0) {
      throw Error("no training row has a like, retweet, quote or reply: there is nothing to learn");
    }
    if (options_.text && !tokens_.empty() && dataset_.tokens > 0 && dataset_.known_tokens == 0) {
      throw Error(
          options_.token_file, "",
          "knows none of the rows' " + std::to_string(dataset_.tokens) +
              " tokens: it was made for another vocabulary (--features without text trains without it)");
    }
  }

  const DatasetOptions& options_;
  const TokenTable& tokens_;
  std::filesystem::path folder_;
  TemporaryFile own_train_;
  TemporaryFile own_valid_;
  int64_t first_day_ = std::numeric_limits<int64_t>::max();
  int64_t last_day_ = std::numeric_limits<int64_t>::min();
  std::optional<history::Periods> periods_;
  Dataset dataset_;
};

}  // namespace

Dataset make_dataset(const DatasetOptions& options, const TokenTable& tokens, const Languages& known,
                     const std::filesystem::path& folder) {
  return Maker(options, tokens, folder).run(known);
}

}  // namespace kinglet::train
