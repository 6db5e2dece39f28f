// A program that was compiled as a whole for other CPUs says so in place of SIGILL.
#include "emulated/cpus.h"

namespace {

using kinglet::test::run_process;

/// Its output and messages on an emulated CPU.
std::string output_on(const std::filesystem::path& shared, const char* cpu) {
  const auto result = run_process({(shared / "emulate/run").string(), "-c", cpu, KINGLET_BUILT_FOR_HASWELL});
  return result.out + result.err;
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a program compiled for Haswell is refused with a message by CPUs before it") {
  REQUIRE_SHARED(shared);
  if (const std::string why = kinglet::test::no_emulator(shared); !why.empty())
    return kinglet::test::report_skipped(why);
  CHECK(contains(output_on(shared, "corei7_haswell_4770"), "best avx2"));
  for (const char* cpu : {"corei7_sandy_bridge_2600k", "core2_penryn_t9600"}) {
    CAPTURE(cpu);
    const std::string output = output_on(shared, cpu);
    CAPTURE(output);
    CHECK(contains(output, "compiled for CPUs with AVX2, which this one lacks"));
    CHECK_FALSE(contains(output, "best"));
  }
}
