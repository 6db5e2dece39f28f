// The library in one page: opens a model and a history, scores rows one at a time as a service would, and
// prints how long a score took. usage: score_rows MODEL HISTORY ROWS...

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "kinglet/kinglet.h"

namespace {

using Clock = std::chrono::steady_clock;

/// Scores every row once and returns each score's time in microseconds, reading the row not included.
std::vector<double> latencies_us(kinglet::Session& session, const kinglet::formats::HistoryFile& history,
                                 const std::vector<std::filesystem::path>& inputs) {
  std::vector<double> times;
  kinglet::formats::RowReader reader(inputs);
  kinglet::Row row;
  kinglet::Scores scores;
  while (reader.next(row)) {
    const auto start = Clock::now();
    const kinglet::Status status = session.score(row, history, scores);
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    if (status != kinglet::Status::ok) throw reader.error_here(kinglet::status_text(status));
  }
  return times;
}

/// The smallest time that `share` of all are at or below.
double quantile(std::vector<double>& times, double share) {
  const auto rank = static_cast<size_t>(share * static_cast<double>(times.size() - 1) + 0.5);
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(rank), times.end());
  return times[rank];
}

void run(const std::string& model_path, const std::string& history_path,
         const std::vector<std::filesystem::path>& rows) {
  const kinglet::Model model = kinglet::Model::open(model_path);
  const auto history = kinglet::formats::HistoryFile(history_path);
  kinglet::Session session(model);
  for (const char* pass : {"first pass (pages of the model are read on the way)", "second pass"}) {
    std::vector<double> times = latencies_us(session, history, rows);
    std::printf("%s: %zu rows, a score takes %.0f us in the median, %.0f us at the 99th percentile\n", pass,
                times.size(), quantile(times, 0.5), quantile(times, 0.99));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: score_rows MODEL HISTORY ROWS...\n");
    return 2;
  }
  try {
    run(argv[1], argv[2], {argv + 3, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "score_rows: %s\n", error.what());
    return 1;
  }
  return 0;
}
