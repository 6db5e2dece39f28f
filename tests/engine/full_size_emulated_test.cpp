// Two requests to a full-size network on every emulated CPU: minutes each, so in the soak run alone.
#include "kinglet/session.h"

#include "emulated/cpus.h"
#include "emulated/requests.h"
#include "support/random.h"
#include "support/small_model.h"

TEST_CASE("a full-size network has the same bits on every emulated CPU") {
  REQUIRE_SHARED(shared);
  if (const std::string why = kinglet::test::no_emulator(shared); !why.empty()) {
    return kinglet::test::report_skipped(why);
  }
  const kinglet::test::TempDir dir;
  const std::filesystem::path path = kinglet::test::write_model(dir, {}, 30'522);
  kinglet::Session session(kinglet::Model::open(path, {.isa = kinglet::kernels::Isa::scalar}));
  kinglet::test::Random random(5);
  std::vector<kinglet::test::StoredRequest> requests(2);
  std::vector<std::string> expected;
  for (auto& request : requests) {
    for (int t = 0; t < 30; ++t) request.tokens.push_back(static_cast<uint32_t>(random.below(30'000)));
    for (int i = 0; i < 73; ++i) request.numerics.push_back(static_cast<double>(random.below(100)));
    request.flags = random.below(4'096);
    request.categories = {1, 2, 3};
    expected.push_back(kinglet::test::logit_bits(session, request));
  }
  kinglet::test::write_requests(dir / "requests", requests);
  for (const kinglet::test::EmulatedCpu& cpu : kinglet::test::kEmulatedCpus) {
    kinglet::test::check_on_cpu(shared, cpu, KINGLET_PROBE, path, dir / "requests", expected, "768");
  }
}
