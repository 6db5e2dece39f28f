// Models with folded layers on every emulated CPU. Natively and on NEON: signature_test, emulated/neon_test.
#include <filesystem>

#include "emulated/cpus.h"
#include "emulated/requests.h"
#include "emulated/signature_model.h"
#include "support/random.h"

namespace {

using namespace kinglet;
using test::StoredRequest;

/// Numbers small and large, so that units come to lie on either side of 0.
StoredRequest random_request(const Model& model, test::Random& random) {
  StoredRequest request;
  for (uint64_t t = random.below(50); t > 0; --t)
    request.tokens.push_back(static_cast<uint32_t>(random.below(600)));
  for (size_t i = 0; i < model.numeric_count(); ++i) {
    const uint64_t limit = random.below(4) == 0 ? 10'000'000 : 4;
    request.numerics.push_back(static_cast<double>(random.below(limit)));
  }
  request.flags = random.below(4'096);
  for (size_t c = 0; c < model.category_count(); ++c)
    request.categories.push_back(static_cast<uint32_t>(random.below(model.categories(c))));
  return request;
}

/// Units off their usual side in the layers that are folded.
size_t flips(Session& session, uint32_t layers) {
  size_t count = 0;
  for (uint32_t layer = 1; layer <= layers; ++layer) {
    for (const float flip : session.value("flips" + std::to_string(layer))) count += flip > 0 ? 1 : 0;
  }
  return count;
}

}  // namespace

TEST_CASE("3 requests to models with folded layers have the same bits on every emulated CPU") {
  REQUIRE_SHARED(shared);
  if (const std::string why = test::no_emulator(shared); !why.empty()) return test::report_skipped(why);
  const test::TempDir dir;
  std::vector<StoredRequest> requests;
  std::vector<std::filesystem::path> models;
  std::vector<std::string> expected;
  for (const test::SkeletonSignature& skeleton : test::kSkeletonSignatures) {
    models.push_back(dir / ("m" + std::to_string(models.size()) + ".kinglet"));
    std::filesystem::rename(test::write_signature_model(dir, skeleton), models.back());
    Session session(Model::open(models.back(), {.isa = kernels::Isa::scalar}));
    test::Random random(3);
    while (requests.size() < 3) requests.push_back(random_request(session.model(), random));
    for (const StoredRequest& request : requests) {
      expected.push_back(test::logit_bits(session, request));
      CHECK(flips(session, skeleton.layers) > 0);
    }
  }
  test::write_requests(dir / "requests", requests);
  for (const test::EmulatedCpu& cpu : test::kEmulatedCpus) {
    test::check_on_cpu(shared, cpu, KINGLET_PROBE, models, dir / "requests", expected);
  }
}

TEST_CASE("KINGLET_ISA names an instruction set that an emulated CPU lacks: one message, not SIGILL") {
  REQUIRE_SHARED(shared);
  if (const std::string why = test::no_emulator(shared); !why.empty()) return test::report_skipped(why);
  const test::TempDir dir;
  const std::string model = test::write_model(dir, test::tiny_network(), 11).string();
  const auto result_of = [&](const std::string& isa) {
    return test::run_process({(shared / "emulate/run").string(), "-c", "corei7_haswell_4770", "-f",
                              "m=" + model, "-e", "KINGLET_ISA=" + isa, KINGLET_PROBE, "--first", "1", "m"});
  };
  CHECK(result_of("avx2").exit_code == 0);
  for (const char* isa : {"avx512", "avx512vnni"}) {
    const auto result = result_of(isa);
    CAPTURE(result.out);
    CHECK(result.exit_code == 1);
    CHECK(result.out.find("this CPU lacks '" + std::string(isa) + "'; it has: scalar, sse42, avx2") !=
          std::string::npos);
  }
}
