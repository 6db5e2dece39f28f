// The network at its published size (hidden 1,500; 25,857,944 parameters) with seeded random weights, against
// float64.
#include <cmath>

#include "kinglet/converter/tensors.h"
#include "kinglet/converter/vocabulary.h"
#include "kinglet/session.h"

#include "network_oracle.h"
#include "support/random.h"
#include "support/small_model.h"

namespace {

using kinglet::test::NetworkOracle;
using kinglet::test::OracleRequest;
using kinglet::test::Random;

NetworkOracle make_oracle(const kinglet::test::ModelSources& sources, size_t depth, size_t width) {
  std::map<std::string, std::vector<double>> tensors;
  for (const auto& [name, tensor] : kinglet::converter::read_checkpoint(sources.weights).tensors) {
    tensors[name] = tensor.to_f64();
  }
  const kinglet::converter::CodebookJson codebook = kinglet::converter::read_codebook(sources.codebook);
  NetworkOracle::Codes codes;
  for (uint32_t token = 0; token < codebook.token_limit; ++token) {
    const uint32_t* first = codebook.codes.data() + size_t{token} * codebook.depth;
    if (first[0] != kinglet::converter::CodebookJson::kNoCode) codes[token] = {first, first + codebook.depth};
  }
  return {std::move(tensors), std::move(codes), depth, width};
}

OracleRequest random_request(Random& random, size_t numerics, size_t flags, uint32_t languages) {
  OracleRequest request;
  const uint64_t tokens = random.below(60);
  for (uint64_t t = 0; t < tokens; ++t) {
    request.tokens.push_back(static_cast<uint32_t>(random.below(t % 4 == 0 ? 20 : 31'000)));
  }
  for (size_t i = 0; i < numerics; ++i) {
    const bool large = random.below(6) == 0;
    request.numerics.push_back(static_cast<double>(random.below(large ? 100'000'000 : 4)));
  }
  for (size_t i = 0; i < flags; ++i) request.flags.push_back(static_cast<int>(random.below(2)));
  request.categories = {static_cast<uint32_t>(random.below(languages + 1)),
                        static_cast<uint32_t>(random.below(24)), static_cast<uint32_t>(random.below(31))};
  return request;
}

kinglet::Scores score(kinglet::Session& session, const OracleRequest& request) {
  uint64_t flags = 0;
  for (size_t i = 0; i < request.flags.size(); ++i) flags |= static_cast<uint64_t>(request.flags[i]) << i;
  kinglet::Scores scores;
  REQUIRE(session.score({request.tokens, request.numerics, flags, request.categories}, scores) ==
          kinglet::Status::ok);
  return scores;
}

/// Largest distance from float64 over `rows` random requests; all instruction sets must agree to the bit.
double largest_error(const kinglet::synthetic::NetworkOptions& network, bool communities, size_t rows) {
  const kinglet::test::TempDir dir;
  const auto sources = kinglet::test::write_model_sources(dir, network, 30'522);
  kinglet::converter::ConvertOptions options = sources.options();
  options.features.communities = communities;
  kinglet::converter::convert(options, dir / "m.kinglet");
  const NetworkOracle oracle = make_oracle(sources, network.depth, network.width);
  std::vector<kinglet::Session> sessions;
  for (const auto isa : kinglet::kernels::built_isas()) {
    if (kinglet::kernels::supported(isa))
      sessions.emplace_back(kinglet::Model::open(dir / "m.kinglet", {.isa = isa}));
  }
  Random random(7);
  double worst = 0;
  for (size_t i = 0; i < rows; ++i) {
    const OracleRequest request =
        random_request(random, network.numeric, network.flags, static_cast<uint32_t>(network.languages));
    const std::array<double, 4> expected = oracle.logits(request);
    const kinglet::Scores first = score(sessions[0], request);
    for (size_t t = 0; t < 4; ++t) worst = std::max(worst, std::fabs(first.logits[t] - expected[t]));
    for (size_t s = 1; s < sessions.size(); ++s) CHECK(score(sessions[s], request).logits == first.logits);
  }
  return worst;
}

}  // namespace

TEST_CASE("a full-size network lies within 1e-5 of float64, with the same bits on every instruction set") {
  const double worst = largest_error({}, false, 40);
  MESSAGE("largest difference of a logit: " << worst);
  CHECK(worst <= 1e-5);
}

TEST_CASE("sizes that fill no panel, and other sketches, lie within 1e-5 of float64") {
  for (const size_t hidden : {1, 31, 32, 33, 100}) {
    kinglet::synthetic::NetworkOptions network;
    network.hidden = hidden;
    network.depth = hidden % 2 == 0 ? 7 : 10;
    network.width = hidden % 2 == 0 ? 100 : 1'024;
    network.languages = 5;
    CHECK(largest_error(network, false, 10) <= 1e-5);
  }
}

TEST_CASE("the layout with communities is one more layout") {
  kinglet::synthetic::NetworkOptions network;
  network.hidden = 48;
  network.numeric = 77;
  network.flags = 16;
  CHECK(largest_error(network, true, 20) <= 1e-5);
}
