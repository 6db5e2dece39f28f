#include <algorithm>
#include <utility>

#include "kinglet/formats/error.h"
#include "kinglet/formats/history_file.h"
#include "kinglet/formats/row_reader.h"
#include "kinglet/latency/latency.h"
#include "kinglet/session.h"

#include "allocations.h"
#include "machine.h"
#include "staged_session.h"

namespace kinglet::latency {
namespace {

/// Times of one kind; memory for all of them is booked before the first.
class Times {
 public:
  explicit Times(size_t count) { times_.reserve(count); }
  void add(Clock::duration time) { times_.push_back(microseconds(time)); }
  Quantiles quantiles() { return quantiles_of(times_); }

 private:
  std::vector<double> times_;
};

using StageEnds = std::array<Clock::time_point, kStageNames.size()>;

/// Times of rows in stages, as StageTimes.
class StagedTimes {
 public:
  explicit StagedTimes(size_t count) : stages_(kStageNames.size(), Times(count)), score_(count) {}
  void add(Clock::time_point start, const StageEnds& ends) {
    score_.add(ends.back() - ends[static_cast<size_t>(Stage::features)]);
    for (size_t i = 0; i < ends.size(); ++i) stages_[i].add(ends[i] - std::exchange(start, ends[i]));
  }
  StageTimes quantiles() {
    StageTimes times;
    for (size_t i = 0; i < stages_.size(); ++i) times.stages[i] = stages_[i].quantiles();
    times.score = score_.quantiles();
    return times;
  }

 private:
  std::vector<Times> stages_;
  Times score_;
};

/// What a service holds: model, history, a thread's session and parser.
class Service {
 public:
  Service(const std::filesystem::path& model, const std::filesystem::path& history, const Options& options)
      : model_(Model::open(model, {.isa = options.isa, .huge_pages = options.huge_pages})),
        history_(history),
        session_(model_),
        staged_(model_) {}

  const Model& model() const { return model_; }
  const formats::HistoryFile& history() const { return history_; }

  /// A row's bytes to its probabilities.
  bool answer(const std::string& line) noexcept {
    return parser_.parse(line, row_, error_) && session_.score(row_, history_, scores_) == Status::ok;
  }

  /// The same with a look at the clock after each of kStageNames.
  StageEnds answer_in_stages(const std::string& line) noexcept {
    StageEnds ends;
    auto end = ends.begin();
    static_cast<void>(parser_.parse(line, row_, error_));
    *end++ = Clock::now();
    staged_.look_up(row_, history_);
    *end++ = Clock::now();
    staged_.make_request(row_);
    *end++ = Clock::now();
    staged_.first_layer();
    *end++ = Clock::now();
    staged_.hidden();
    *end++ = Clock::now();
    staged_.output(scores_);
    *end++ = Clock::now();
    return ends;
  }

  /// The same, and how many bytes of the model it read. Throws Error where the model cannot score a row.
  uint64_t answer_checked(const std::string& line) {
    parser_.parse(line, row_);
    const Status status = session_.score(row_, history_, scores_);
    if (status != Status::ok) throw Error(model_.file().path(), "", status_text(status));
    return session_.bytes_read().total();
  }

  /// A row's fields; valid until the next call of any of these.
  const Row& parsed(const std::string& line) {
    parser_.parse(line, row_);
    return row_;
  }
  Session& session() { return session_; }

 private:
  Model model_;
  formats::HistoryFile history_;
  Session session_;
  StagedSession staged_;
  formats::RowParser parser_;
  Row row_;
  formats::RowError error_;
  Scores scores_;
};

class Measurement {
 public:
  Measurement(Service& service, const std::vector<std::string>& lines, const Options& options,
              const ProgressFn& progress)
      : service_(service),
        lines_(lines),
        options_(options),
        progress_(progress),
        warm_(lines.size() * options.rounds),
        stages_(lines.size() * options.rounds) {}

  void run(Report& report) {
    warm_up(report);
    const auto probe = service_.model().file().bytes().first(report.probe_bytes);
    std::vector<double> rates;
    for (size_t round = 0; round < options_.rounds; ++round) {
      one_round();
      rates.push_back(streaming_gb_per_s(probe));
    }
    report.warm = warm_.quantiles();
    report.warm_stages = stages_.quantiles();
    report.allocations = allocations_;
    cold(report);
    report.load = load();
    if (options_.repeats > 0) report.steadiness = steadiness();
    report.probe_gb_per_s = *quantiles_of(rates).p50;
    const double score_gb_per_s = report.bytes_touched / *report.warm_stages.score.p50 * 1e-3;
    report.bandwidth_share = score_gb_per_s / report.probe_gb_per_s;
  }

 private:
  void tell(std::string_view stage, size_t done, size_t total, std::string_view unit) const {
    if (progress_) progress_(stage, done, total, unit);
  }

  /// Every row once, and what it touches.
  void warm_up(Report& report) {
    std::vector<double> bytes;
    for (size_t i = 0; i < lines_.size(); ++i) {
      tell("warming up", i, lines_.size(), "rows");
      bytes.push_back(static_cast<double>(service_.answer_checked(lines_[i])));
      report.bytes_touched += bytes.back() / static_cast<double>(lines_.size());
    }
    report.bytes_touched_p99 = quantiles_of(bytes).p99;
    report.probe_bytes = std::min(static_cast<uint64_t>(report.bytes_touched), report.model_bytes);
  }

  void one_round() {
    const size_t total = 2 * lines_.size() * options_.rounds;
    for (const std::string& line : lines_) {
      tell("measuring", done_++, total, "rows");
      const std::optional<uint64_t> before = heap_calls();
      const auto start = Clock::now();
      service_.answer(line);
      warm_.add(Clock::now() - start);
      if (before) allocations_ = allocations_.value_or(0) + (*heap_calls() - *before);
    }
    for (const std::string& line : lines_) {
      tell("measuring", done_++, total, "rows");
      const auto start = Clock::now();
      stages_.add(start, service_.answer_in_stages(line));
    }
  }

  void cold(Report& report) const {
    const size_t count = std::min(options_.cold_rows, lines_.size());
    if (count == 0) return;
    Times times(count);
    StagedTimes stages(count);
    const CacheSweeper caches;
    for (size_t i = 0; i < count; ++i) {
      tell("measuring cold", i, count, "rows");
      caches.sweep();
      const auto start = Clock::now();
      service_.answer(lines_[i]);
      times.add(Clock::now() - start);
      caches.sweep();
      const auto staged = Clock::now();
      stages.add(staged, service_.answer_in_stages(lines_[i]));
    }
    report.cold = times.quantiles();
    report.cold_stages = stages.quantiles();
  }

  Quantiles load() const {
    Times times(options_.loads);
    Scores scores;
    const Row& row = service_.parsed(lines_.front());
    for (size_t i = 0; i < options_.loads; ++i) {
      tell("opening", i, options_.loads, "times");
      const auto start = Clock::now();
      const Model model = Model::open(service_.model().file().path(), {.isa = options_.isa});
      Session session(model);
      session.score(row, service_.history(), scores);
      times.add(Clock::now() - start);
    }
    return times.quantiles();
  }

  Steadiness steadiness() const {
    const Row& row = service_.parsed(lines_.front());
    Scores scores;
    const auto score = [&] { service_.session().score(row, service_.history(), scores); };
    const uint64_t steps = steps_as_long_as(score);
    Times scored(options_.repeats);
    Times spun(options_.repeats);
    for (size_t i = 0; i < options_.repeats; ++i) {
      tell("repeating a row", i, options_.repeats, "times");
      const auto start = Clock::now();
      score();
      const auto middle = Clock::now();
      spin(steps);
      spun.add(Clock::now() - middle);
      scored.add(middle - start);
    }
    Steadiness found{scored.quantiles(), spun.quantiles(), std::nullopt};
    if (found.score.p999) {
      found.ratio = (*found.score.p999 / *found.score.p50) / (*found.loop.p999 / *found.loop.p50);
    }
    return found;
  }

  /// Of spin(), so that it lasts as long as `work`, both in the median. In turns, as they are measured then:
  /// work in wide vectors slows the clock of some CPUs, and a loop beside it.
  template <typename Work>
  static uint64_t steps_as_long_as(const Work& work) {
    constexpr size_t kTrials = 1'001;
    constexpr uint64_t kSteps = 50'000;
    Times worked(kTrials);
    Times spun(kTrials);
    for (size_t i = 0; i < kTrials; ++i) {
      const auto start = Clock::now();
      work();
      const auto middle = Clock::now();
      spin(kSteps);
      spun.add(Clock::now() - middle);
      worked.add(middle - start);
    }
    return static_cast<uint64_t>(*worked.quantiles().p50 / *spun.quantiles().p50 * double{kSteps});
  }

  Service& service_;
  const std::vector<std::string>& lines_;
  const Options& options_;
  const ProgressFn& progress_;
  Times warm_;
  StagedTimes stages_;
  std::optional<uint64_t> allocations_;
  size_t done_ = 0;
};

}  // namespace

Report measure(const std::filesystem::path& model, const std::filesystem::path& history,
               const std::vector<std::string>& lines, const Options& options, const ProgressFn& progress) {
  Service service(model, history, options);
  const fbs::Model& header = service.model().file().header();
  Report report;
  report.cpu = cpu_name();
  report.isa = service.model().isa();
  report.precision = header.precision()->str();
  report.layout = header.layout()->name()->str();
  report.model_bytes = service.model().file().file_length();
  report.rows = lines.size();
  Measurement(service, lines, options, progress).run(report);
  return report;
}

}  // namespace kinglet::latency
