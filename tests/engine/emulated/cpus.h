#pragma once

#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "kinglet/kernels/isa.h"

#include "support/process.h"
#include "support/support.h"

namespace kinglet::test {

/// The CPU models of ../shared/emulate, and the fastest instruction set of ours that each has.
struct EmulatedCpu {
  const char* model;
  const char* best_isa;
};
inline constexpr EmulatedCpu kEmulatedCpus[] = {{"tigerlake", "avx512vnni"},
                                                {"corei7_skylake_x", "avx512"},
                                                {"corei7_haswell_4770", "avx2"},
                                                {"ryzen", "avx2"},
                                                {"corei7_sandy_bridge_2600k", "sse42"},
                                                {"corei5_lynnfield_750", "sse42"},
                                                {"core2_penryn_t9600", "scalar"}};

/// Why nothing can be emulated here; empty: it can.
inline std::string no_emulator(const std::filesystem::path& shared) {
#ifdef KINGLET_TEST_SANITIZED
  return "a sanitized program is not static";
#endif
  if (!std::filesystem::exists(shared / "emulate/run")) return "../shared/emulate is not present";
  if (std::system("command -v bochs-bin >/dev/null") != 0) return "bochs is not installed";
  return {};
}

/// Runs the probe on one CPU: every instruction set it has must give the `expected` bits (of all models, one
/// after the other), it must choose the best, and refuse those that are faster (all x86-64 sets, slowest
/// first, each CPU having all up to its best).
inline void check_on_cpu(const std::filesystem::path& shared, const EmulatedCpu& cpu,
                         const std::string& probe, const std::vector<std::filesystem::path>& models,
                         const std::filesystem::path& requests, const std::vector<std::string>& expected,
                         const char* megabytes = "512") {
  CAPTURE(cpu.model);
  std::vector<std::string> call = {
      (shared / "emulate/run").string(), "-t", "1500", "-m", megabytes, "-c", cpu.model, "-f",
      "r=" + requests.string()};
  std::vector<std::string> arguments = {probe, "r"};
  for (const std::filesystem::path& model : models) {
    const std::string name = "m" + std::to_string(arguments.size());
    call.insert(call.end(), {"-f", name + "=" + model.string()});
    arguments.push_back(name);
  }
  call.insert(call.end(), arguments.begin(), arguments.end());
  const auto result = run_process(call);
  REQUIRE_MESSAGE(result.exit_code == 0, result.out << result.err);
  std::istringstream lines(result.out);
  std::string isa;
  std::string bits;
  std::string best;
  std::map<std::string, std::vector<std::string>> by_isa;
  while (lines >> isa >> bits) {
    if (isa == "best") {
      best = bits;
    } else {
      by_isa[isa].push_back(bits);
    }
  }
  CHECK(best == cpu.best_isa);
  bool has = true;
  for (const kernels::Isa set : kernels::built_isas()) {
    const std::string name(kernels::isa_name(set));
    CAPTURE(name);
    REQUIRE(by_isa.count(name) == 1);
    if (has) {
      CHECK(by_isa[name] == expected);
    } else {
      CHECK(by_isa[name] == std::vector<std::string>(models.size(), "refused"));
    }
    if (name == cpu.best_isa) has = false;
  }
  CHECK_FALSE(has);
}

}  // namespace kinglet::test
