// The mean of the token vectors in place of the sketch: the logits of float64, the same bits on every
// instruction set, in every precision; and what is refused.
#include "kinglet/features/token_mean.h"

#include <cmath>

#include "kinglet/converter/convert.h"
#include "kinglet/converter/tensors.h"
#include "kinglet/formats/error.h"
#include "kinglet/model.h"
#include "kinglet/session.h"

#include "engine/network_oracle.h"
#include "support/invented_requests.h"
#include "support/small_world.h"

namespace {

using kinglet::Model;
using kinglet::Scores;
using kinglet::Session;
using kinglet::Status;
using kinglet::converter::ConvertOptions;
using kinglet::converter::ConvertReport;
using kinglet::converter::Precision;
using kinglet::converter::TokenVectors;
using kinglet::test::error_of;
using kinglet::test::StoredRequest;
using kinglet::test::TempDir;

constexpr uint32_t kVocabulary = 60;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Fixture {
  Fixture()
      : sources(kinglet::test::write_model_sources(dir, network(), kVocabulary)),
        options(kinglet::test::with_token_vectors(dir, sources, network(), kVocabulary)) {}

  static kinglet::synthetic::NetworkOptions network() {
    kinglet::synthetic::NetworkOptions network = kinglet::test::tiny_network();
    network.hidden = 33;
    network.width = 9;
    return network;
  }
  ConvertReport convert() const { return kinglet::converter::convert(options, path()); }
  std::string refused() const {
    std::string message = error_of([&] { convert(); });
    CHECK(!std::filesystem::exists(path()));
    return message;
  }
  std::filesystem::path path() const { return dir / "m.kinglet"; }

  TempDir dir;
  kinglet::test::ModelSources sources;
  ConvertOptions options;
};

std::vector<double> mean_of(const TokenVectors& vectors, const std::vector<uint32_t>& tokens) {
  std::vector<double> mean(vectors.dimensions);
  double count = 0;
  for (size_t t = 1; t + 1 < tokens.size(); ++t) {
    const auto found = std::find(vectors.ids.begin(), vectors.ids.end(), tokens[t]);
    if (found == vectors.ids.end()) continue;
    const auto vector = vectors.vector(static_cast<size_t>(found - vectors.ids.begin()));
    for (size_t d = 0; d < mean.size(); ++d) mean[d] += static_cast<double>(vector[d]);
    ++count;
  }
  for (double& value : mean) value /= std::max(count, 1.0);
  return mean;
}

/// Logits in float64, straight from checkpoint and vectors.
std::vector<std::array<double, 4>> expected_logits(const Fixture& fixture,
                                                   const std::vector<StoredRequest>& requests, size_t flags) {
  std::map<std::string, std::vector<double>> tensors;
  for (const auto& [name, tensor] : kinglet::converter::read_checkpoint(fixture.sources.weights).tensors)
    tensors[name] = tensor.to_f64();
  const kinglet::test::NetworkOracle oracle(std::move(tensors), {}, 0, 0);
  const TokenVectors vectors = kinglet::converter::read_token_vectors(fixture.options.vectors);
  std::vector<std::array<double, 4>> logits;
  for (const StoredRequest& request : requests) {
    kinglet::test::OracleRequest others{{}, request.numerics, {}, {}};
    for (size_t i = 0; i < flags; ++i) others.flags.push_back(static_cast<int>(request.flags >> i & 1));
    std::vector<double> input = mean_of(vectors, request.tokens);
    const std::vector<double> rest = oracle.input(others);
    input.insert(input.end(), rest.begin(), rest.end());
    logits.push_back(oracle.logits(std::move(input),
                                   {request.categories[0], request.categories[1], request.categories[2]}));
  }
  return logits;
}

/// Largest distance from float64 over requests of all kinds; all instruction sets must agree to the bit.
double largest_error(const Fixture& fixture) {
  std::vector<Session> sessions;
  for (const auto isa : kinglet::kernels::built_isas()) {
    if (kinglet::kernels::supported(isa))
      sessions.emplace_back(Model::open(fixture.path(), {.isa = isa, .verify = true}));
  }
  const Model& model = sessions[0].model();
  const auto requests = kinglet::test::invented_requests(model, 60, kVocabulary);
  const auto expected = expected_logits(fixture, requests, model.flag_count());
  double largest = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    Scores first;
    REQUIRE(sessions[0].score(requests[i].view(), first) == Status::ok);
    for (size_t t = 0; t < 4; ++t)
      largest = std::max(largest, std::fabs(double{first.logits[t]} - expected[i][t]));
    for (size_t s = 1; s < sessions.size(); ++s) {
      Scores other;
      REQUIRE(sessions[s].score(requests[i].view(), other) == Status::ok);
      CHECK(other.logits == first.logits);
    }
  }
  return largest;
}

}  // namespace

TEST_CASE("the mean of vectors is of the tokens that have one, in double, rounded once") {
  const std::vector<float> vectors{0, 0, 1, -2, 0, 3};
  const kinglet::features::TokenVectorTable table{vectors.data(), 3, 2};
  const std::vector<uint32_t> tokens{1, 0, 2, 9, 1};
  double sums[2];
  float mean[2] = {7, 7};
  CHECK(kinglet::features::token_mean(table, tokens, sums, mean) == 3);
  CHECK(mean[0] == 2.0F / 3.0F);
  CHECK(mean[1] == -1.0F / 3.0F);
  CHECK(kinglet::features::token_mean(table, std::vector<uint32_t>{0, 3}, sums, mean) == 0);
  CHECK(mean[0] == 0);
  CHECK(mean[1] == 0);
}

TEST_CASE("a network that reads the mean of token vectors, in every precision") {
  Fixture fixture;
  const ConvertReport report = fixture.convert();
  CHECK(report.layout == "recsys2021-token_mean");
  CHECK(report.dimensions == 18);
  CHECK(report.known_tokens == kVocabulary / 2);
  CHECK(report.depth == 0);
  CHECK(largest_error(fixture) <= 1e-5);
  // Bounds: a few units of the last place that each type keeps of weights of size 1 (as for the sketch).
  struct Bound {
    Precision precision;
    double largest;
  };
  for (const Bound bound :
       {Bound{Precision::bf16, 0.1}, Bound{Precision::fp16, 0.02}, Bound{Precision::int8, 0.3},
        Bound{Precision::mixed, 0.3}, Bound{Precision::int4, 0.3}}) {
    CAPTURE(static_cast<int>(bound.precision));
    fixture.options.precision = bound.precision;
    fixture.convert();
    const double error = largest_error(fixture);
    CHECK(error > 0);
    CHECK(error <= bound.largest);
  }
}

TEST_CASE("calibration and folded layers take a mean as they take a sketch") {
  Fixture fixture;
  const kinglet::test::SmallWorld world(fixture.dir, 80);
  ConvertOptions options = kinglet::test::calibrated(fixture.sources, world, Precision::fp32, 2);
  options.codebook.clear();
  options.vectors = fixture.options.vectors;
  fixture.options = options;
  const ConvertReport report = fixture.convert();
  REQUIRE(report.calibration);
  CHECK(report.calibration->folded_layers == 2);
  CHECK(report.calibration->frequent_rows > 0);
  CHECK(report.calibration->token_rows == 0);
  CHECK(largest_error(fixture) <= 1e-5);
  // The vectors' bytes are the same without folded layers, those of rows fewer.
  fixture.options.folded_layers = 0;
  const ConvertReport dense = fixture.convert();
  REQUIRE(dense.calibration);
  CHECK(report.calibration->dense_bytes_mean == doctest::Approx(dense.calibration->bytes_mean));
  fixture.options.folded_layers = std::nullopt;
  fixture.options.precision = Precision::int8;
  fixture.convert();
  CHECK(largest_error(fixture) <= 0.3);
}

TEST_CASE("codebooks, vectors and options that contradict each other") {
  Fixture fixture;
  fixture.options.codebook = fixture.sources.codebook;
  CHECK(contains(fixture.refused(), "expected either a codebook or token vectors"));
  fixture.options.codebook.clear();
  const auto vectors = std::exchange(fixture.options.vectors, "");
  CHECK(contains(fixture.refused(), "expected either a codebook or token vectors"));
  fixture.options.vectors = vectors;
  fixture.options.depth = 2;
  CHECK(contains(fixture.refused(), "there is no sketch to give a size or a norm"));
  fixture.options.depth = std::nullopt;
  fixture.options.features.sketch_norm = kinglet::fbs::SketchNorm::tweet;
  CHECK(contains(fixture.refused(), "there is no sketch to give a size or a norm"));
  fixture.options.features = {};
  fixture.options.features.shown = true;
  CHECK(contains(fixture.refused(),
                 "beside the tokens' mean (layout recsys2021-shown-token_mean); the vectors have 18"));
  fixture.options.features = {};
  kinglet::test::write_file(vectors, "3 1 2 3\n5 4 5 6\n");
  CHECK(contains(fixture.refused(), "the vectors have 3 dimensions"));
  std::string line = " 1";
  for (int d = 1; d < 18; ++d) line += " 1";
  kinglet::test::write_file(vectors, "3" + line + "\n16777215" + line + "\n");
  CHECK(contains(fixture.refused(), "token 16777215: 2 vectors are too few for ids as large"));
  kinglet::test::write_file(vectors, "3" + line + "\n12" + line + "\n");
  CHECK(fixture.convert().known_tokens == 2);
}
