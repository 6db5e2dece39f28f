#include "kinglet/simulate/simulate.h"

#include <optional>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include "kinglet/formats/error.h"
#include "kinglet/formats/file.h"
#include "kinglet/metrics/scores_reader.h"
#include "kinglet/metrics/streaming.h"

namespace kinglet::simulate {
namespace {

constexpr uint64_t kProgressRows = 1 << 14;
constexpr uint64_t kMostParts = 100'000;  // five digits, so that names sort as numbers do

/// A folder written beside its final path and renamed over it by commit(); destroyed before, it leaves
/// nothing.
class NewFolder {
 public:
  explicit NewFolder(const std::filesystem::path& path)
      : path_((std::filesystem::absolute(path) / "").lexically_normal().parent_path()),
        temporary_(path_.parent_path() / fmt::format(".{}.tmp-{}", path_.filename().string(), ::getpid())) {
    std::error_code error;
    if (std::filesystem::exists(path_) &&
        !(std::filesystem::is_directory(path_) && std::filesystem::is_empty(path_))) {
      throw Error(path_.string(), "", "expected a folder that is missing or empty");
    }
    std::filesystem::create_directories(temporary_, error);
    if (error) throw Error(path_.string(), "", fmt::format("cannot create: {}", error.message()));
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code ignored;
    if (!committed_) std::filesystem::remove_all(temporary_, ignored);
  }

  const std::filesystem::path& path() const { return temporary_; }

  void commit() {
    std::error_code error;
    std::filesystem::rename(temporary_, path_, error);
    if (error) throw Error(path_.string(), "", fmt::format("cannot rename into place: {}", error.message()));
    committed_ = true;
  }

 private:
  std::filesystem::path path_, temporary_;
  bool committed_ = false;
};

/// Rows and truths of one split, in parts of equal numbers.
class SplitWriter {
 public:
  SplitWriter(const std::filesystem::path& folder, std::string_view name, uint64_t part_rows)
      : rows_folder_(folder / name), truth_folder_(folder / "truth" / name), part_rows_(part_rows) {
    std::filesystem::create_directories(rows_folder_);
    std::filesystem::create_directories(truth_folder_);
  }

  void add(const SimulatedRow& row) {
    if (report_.rows % part_rows_ == 0) begin_part();
    rows_->write(row.line);
    truth_->write(row.truth);
    ++report_.rows;
    report_.bytes += row.line.size();
    for (size_t r = 0; r < kReactions; ++r) metrics_[r].add(row.probabilities[r], row.reacted[r]);
  }

  SplitReport finish() {
    end_part();
    for (size_t r = 0; r < kReactions; ++r) report_.truth[r] = metrics_[r].result();
    return report_;
  }

 private:
  void begin_part() {
    end_part();
    const std::string name = fmt::format("part-{:05}", report_.parts++);
    rows_.emplace(rows_folder_ / name);
    truth_.emplace(truth_folder_ / name);
    truth_->write(metrics::kScoresHeader);
    truth_->write("\n");
  }

  void end_part() {
    if (!rows_) return;
    rows_->commit();
    truth_->commit();
    rows_.reset();
    truth_.reset();
  }

  std::filesystem::path rows_folder_, truth_folder_;
  uint64_t part_rows_;
  std::optional<formats::AtomicFile> rows_, truth_;
  std::array<metrics::StreamingMetrics, kReactions> metrics_;
  SplitReport report_;
};

}  // namespace

SimulateReport simulate(const SimulateOptions& options, const std::filesystem::path& folder) {
  if (options.part_rows == 0) throw Error("a part needs at least one row");
  World world(options.world);
  if ((world.options().rows - 1) / options.part_rows >= kMostParts) {
    throw Error(fmt::format("expected at most {} parts: more rows a part", kMostParts));
  }
  NewFolder output(folder);
  SplitWriter train(output.path(), "train", options.part_rows);
  SplitWriter valid(output.path(), "valid", options.part_rows);
  uint64_t done = 0;
  for (SimulatedRow row; world.next(row); ++done) {
    if (options.progress && done % kProgressRows == 0) {
      options.progress("simulating", done, world.options().rows, "rows");
    }
    (row.split == Split::train ? train : valid).add(row);
  }
  SimulateReport report{world.options(), train.finish(), valid.finish()};
  output.commit();
  return report;
}

}  // namespace kinglet::simulate
