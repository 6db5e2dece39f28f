// One number for all of fp32 scoring: a hash of the logits of 10,000 fixed requests to a fixed network. Every
// compiler, build and instruction set must give it. It changes only with the documented arithmetic
// (docs/numerics.md), in a commit that says so.
#include <bit>
#include <vector>

#include <xxhash.h>

#include "kinglet/session.h"

#include "support/random.h"
#include "support/small_model.h"

namespace {

constexpr uint64_t kSignatureFp32 = 0xA382'3376'DB33'185B;
constexpr int kRequests = 10'000;

uint64_t signature(const kinglet::Model& model) {
  kinglet::Session session(model);
  kinglet::test::Random random(2021);
  std::vector<uint32_t> bits;
  std::vector<uint32_t> tokens;
  std::vector<double> numerics(model.numeric_count());
  std::vector<uint32_t> categories(model.category_count());
  for (int i = 0; i < kRequests; ++i) {
    tokens.resize(random.below(50));
    for (uint32_t& token : tokens) token = static_cast<uint32_t>(random.below(600));
    for (double& value : numerics)
      value = static_cast<double>(random.below(random.below(8) == 0 ? 10'000'000 : 4));
    for (size_t c = 0; c < categories.size(); ++c)
      categories[c] = static_cast<uint32_t>(random.below(model.categories(c)));
    kinglet::Scores scores;
    REQUIRE(session.score({tokens, numerics, random.below(4'096), categories}, scores) ==
            kinglet::Status::ok);
    for (const float logit : scores.logits) bits.push_back(std::bit_cast<uint32_t>(logit));
    for (const float probability : scores.probabilities) bits.push_back(std::bit_cast<uint32_t>(probability));
  }
  return XXH3_64bits(bits.data(), bits.size() * sizeof bits[0]);
}

}  // namespace

TEST_CASE("the fp32 signature is the same on every instruction set, compiler and build") {
  const kinglet::test::TempDir dir;
  kinglet::synthetic::NetworkOptions network;
  network.hidden = 33;
  network.depth = 5;
  network.width = 64;
  const std::filesystem::path path = kinglet::test::write_model(dir, network, 500);
  for (const auto isa : kinglet::kernels::built_isas()) {
    if (!kinglet::kernels::supported(isa)) continue;
    const uint64_t actual = signature(kinglet::Model::open(path, {.isa = isa}));
    CHECK_MESSAGE(actual == kSignatureFp32, kinglet::kernels::isa_name(isa) << ": " << std::hex << actual);
  }
}
