// Two requests to a full-size network on every emulated CPU: minutes each, so in the soak run alone.
#include "emulated/cpus.h"
#include "emulated/full_size.h"

TEST_CASE("a full-size network has the same bits on every emulated CPU") {
  REQUIRE_SHARED(shared);
  if (const std::string why = kinglet::test::no_emulator(shared); !why.empty()) {
    return kinglet::test::report_skipped(why);
  }
  const kinglet::test::TempDir dir;
  const kinglet::test::FullSizeCase full(dir, 2);
  for (const kinglet::test::EmulatedCpu& cpu : kinglet::test::kEmulatedCpus) {
    kinglet::test::check_on_cpu(shared, cpu, KINGLET_PROBE, {full.model}, full.requests, full.expected,
                                "768");
  }
}
