#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kinglet::test {

struct ProcessResult {
  int exit_code = -1;  // of a process that ended by itself, else minus the signal's number
  std::string out;     // its standard output, a pipe
  std::string err;     // its standard error, a pipe
};

struct ProcessLimits {
  uint64_t file_bytes = UINT64_MAX;  // no file may grow beyond it (RLIMIT_FSIZE), as on a full disk
};

/// Runs a program (a path, then its arguments; no shell) with an empty standard input, to its end.
/// Throws std::runtime_error if it cannot be started.
ProcessResult run_process(const std::vector<std::string>& arguments, const ProcessLimits& limits = {});

}  // namespace kinglet::test
