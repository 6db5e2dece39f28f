#include "kinglet/history/features.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include <unistd.h>

#include "kinglet/features/history_values.h"
#include "kinglet/formats/error.h"
#include "kinglet/formats/file.h"
#include "kinglet/formats/row_reader.h"
#include "kinglet/history/builder.h"

namespace kinglet::history {
namespace {

using features::HistorySource;
using features::kHistoryValues;
using formats::HistoryFile;
using formats::HistoryPart;

/// The name of a file that goes when the object does: whole or not there yet.
class TemporaryPath {
 public:
  TemporaryPath(const std::filesystem::path& output, std::string_view purpose)
      : path_(output.parent_path() / ("." + output.filename().string() + "." + std::string(purpose) + "-" +
                                      std::to_string(::getpid()))) {}
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;
  ~TemporaryPath() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

void append_number(std::string& line, double value) {
  std::array<char, 32> text;
  // Counts are whole; %.17g writes them as integers do.
  const bool whole = std::abs(value) < 1e15 && value == std::trunc(value);
  const std::to_chars_result result =
      whole ? std::to_chars(text.begin(), text.end(), static_cast<int64_t>(value))
            : std::to_chars(text.begin(), text.end(), value, std::chars_format::general, 17);
  line.append(text.begin(), result.ptr);
}

void append_two_digits(std::string& line, unsigned number) {
  line += static_cast<char>('0' + number / 10 % 10);
  line += static_cast<char>('0' + number % 10);
}

void append_day(std::string& line, int64_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  append_two_digits(line, static_cast<unsigned>(date.day()));
  line += '-';
  append_two_digits(line, static_cast<unsigned>(date.month()));
  line += '-';
  append_two_digits(line, static_cast<unsigned>(static_cast<int>(date.year()) % 100));
}

/// One row's place: the split it belongs to and its part of that split's history.
struct RowPlace {
  Split split;
  int64_t part;
};

RowPlace place_of(const Row& row, uint64_t index, const FeatureOptions& options) {
  if (options.split == Split::train) return {Split::train, day_of(row)};
  const ValidPlace place = valid_place(index, options.holdout_every);
  return {place.held_out ? Split::holdout : Split::valid, place.chunk};
}

void append_place(std::string& line, const RowPlace& place) {
  constexpr std::array<std::string_view, 3> kNames{"train", "valid", "holdout"};
  line.append(kNames[static_cast<size_t>(place.split)]).append("\t");
  switch (place.split) {
    case Split::train:
      return append_day(line, place.part);
    case Split::valid:
      return append_number(line, static_cast<double>(place.part));
    case Split::holdout:
      line += '-';
  }
}

void append_line(std::string& line, const Row& row, const RowPlace& place, const HistorySource& source) {
  std::array<double, kHistoryValues> values;
  features::history_values(row, source, values);
  append_place(line, place);
  line.append("\t").append(row.tweet_id).append("\t").append(row.reader_id);
  for (const double value : values) {
    line += '\t';
    append_number(line, value);
  }
  line += '\n';
}

uint64_t write_lines(const FeatureOptions& options, HistorySource source, formats::AtomicFile& out) {
  formats::RowReaderOptions reading;
  reading.require_labels = true;
  formats::RowReader reader(options.split == Split::train ? options.train : options.valid, reading);
  uint64_t lines = 0;
  std::string line;
  for (Row row; reader.next(row);) {
    if (options.progress && reader.row_index() % 4'096 == 0) {
      options.progress("writing features", reader.bytes_read(), reader.total_bytes(), "bytes");
    }
    const RowPlace place = place_of(row, reader.row_index(), options);
    if (place.split != options.split) continue;
    source.own_part = place.part;
    line.clear();
    append_line(line, row, place, source);
    out.write(line);
    ++lines;
  }
  return lines;
}

}  // namespace

uint64_t write_history_features(const FeatureOptions& options, const std::filesystem::path& output) {
  if (options.split != Split::train && options.valid.empty()) {
    throw Error("features of validation rows need validation rows");
  }
  const TemporaryPath history_path(output, "history");
  const TemporaryPath own_path(output, "own-parts");
  BuildOptions build;
  build.holdout_every = options.holdout_every;
  build.memory_bytes = options.memory_bytes;
  build.progress = options.progress;
  if (options.split != Split::holdout) {
    build.own_parts = {options.split == Split::train ? HistoryPart::train : HistoryPart::valid,
                       own_path.path(), std::nullopt};
  }
  build_history(options.train, options.valid, history_path.path(), build);

  const HistoryFile history(history_path.path());
  HistorySource source{&history};
  std::optional<HistoryFile> own;
  if (build.own_parts) {
    source.own = &own.emplace(own_path.path());
    source.own_history = build.own_parts->history;
  }
  formats::AtomicFile out(output);
  const uint64_t lines = write_lines(options, source, out);
  out.commit();
  return lines;
}

}  // namespace kinglet::history
