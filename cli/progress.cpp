#include "progress.h"

#include <csignal>
#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include "kinglet/formats/error.h"

namespace kinglet::cli {
namespace {

volatile std::sig_atomic_t signalled = 0;

extern "C" void note_signal(int number) {
  signalled = number;
}

std::string quantity(double value, std::string_view unit) {
  constexpr std::string_view kPrefixes[] = {"", "k", "M", "G", "T"};
  size_t prefix = 0;
  for (; value >= 10'000 && prefix + 1 < std::size(kPrefixes); ++prefix) value /= 1'000;
  return fmt::format("{:.0f} {}{}", value, kPrefixes[prefix], unit);
}

std::string duration(double seconds) {
  const auto whole = static_cast<uint64_t>(seconds);
  if (whole >= 3'600) return fmt::format("{} h {:02} min", whole / 3'600, whole / 60 % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace

void catch_interruptions() {
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART | SA_RESETHAND;  // a second signal ends the program at once
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

int interruption() noexcept {
  return signalled;
}

Progress::Progress() : terminal_(::isatty(STDERR_FILENO) != 0) {}

ProgressFn Progress::function() {
  return [this](std::string_view stage, uint64_t done, uint64_t total, std::string_view unit) {
    if (signalled != 0) throw Interrupted();
    if (terminal_) report(stage, done, total, unit);
  };
}

void Progress::report(std::string_view stage, uint64_t done, uint64_t total, std::string_view unit) {
  constexpr std::chrono::milliseconds kPause{250};
  const Clock::time_point now = Clock::now();
  if (stage != stage_) {
    stage_ = stage;
    stage_start_ = now;
  } else if (now - last_shown_ < kPause) {
    return;
  }
  last_shown_ = now;
  show(done, total, unit, std::chrono::duration<double>(now - stage_start_).count());
}

void Progress::show(uint64_t done, uint64_t total, std::string_view unit, double seconds) {
  const auto work = static_cast<double>(done);
  std::string line = fmt::format("{}: {}", stage_, quantity(work, unit));
  if (total != 0) line += fmt::format(" of {}", quantity(static_cast<double>(total), unit));
  if (seconds > 0.5 && done > 0) {
    const double rate = work / seconds;
    line += fmt::format(", {}/s", quantity(rate, unit));
    if (total > done) line += fmt::format(", {} left", duration(static_cast<double>(total - done) / rate));
  }
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
  shown_ = true;
}

void Progress::finish() noexcept {
  if (!shown_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace kinglet::cli
