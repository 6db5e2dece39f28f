#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "kinglet/formats/progress.h"

namespace kinglet::cli {

/// Lets SIGINT and SIGTERM end the work at its next progress report: Interrupted is thrown there.
void catch_interruptions();
/// The signal that asked for the end; 0 if none did.
int interruption() noexcept;

/// One line on standard error that shows stage, rate and time left, if standard error is a terminal.
class Progress {
 public:
  Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Clears the line.
  ~Progress() { finish(); }

  /// To hand to long work; valid as long as this object. Throws Interrupted after a signal.
  ProgressFn function();
  void finish() noexcept;

 private:
  using Clock = std::chrono::steady_clock;

  void report(std::string_view stage, uint64_t done, uint64_t total, std::string_view unit);
  void show(uint64_t done, uint64_t total, std::string_view unit, double seconds);

  bool terminal_;
  bool shown_ = false;
  std::string stage_;
  Clock::time_point stage_start_;
  Clock::time_point last_shown_;
};

}  // namespace kinglet::cli
