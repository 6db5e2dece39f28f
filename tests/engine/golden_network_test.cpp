// The published program's own inputs and outputs: golden/net_io.npz, from every checkpoint format, natively
// on every instruction set and on every emulated CPU.
#include <cmath>
#include <set>

#include "kinglet/converter/convert.h"
#include "kinglet/converter/tensors.h"
#include "kinglet/features/fourier.h"
#include "kinglet/features/row_features.h"
#include "kinglet/formats/row_reader.h"
#include "kinglet/session.h"

#include "emulated/cpus.h"
#include "emulated/requests.h"
#include "support/checkpoint_writer.h"
#include "support/npz.h"
#include "support/support.h"

namespace {

using kinglet::Model;
using kinglet::Session;
using kinglet::converter::Precision;
using kinglet::test::NpzFile;
using kinglet::test::StoredRequest;
using kinglet::test::TempDir;
namespace fs = std::filesystem;

constexpr size_t kRows = 400;

kinglet::converter::ConvertReport convert(const fs::path& shared, const fs::path& weights,
                                          const fs::path& output, Precision precision = Precision::fp32) {
  kinglet::converter::ConvertOptions options;
  options.weights = weights;
  options.codebook = shared / "golden/subwords_bert.json";
  options.languages = shared / "golden/language2id.json";
  options.precision = precision;
  return kinglet::converter::convert(options, output);
}

/// The 400 rows as requests: history from the golden file, everything else from the row itself.
std::vector<StoredRequest> golden_requests(const fs::path& shared, const Model& model) {
  const NpzFile io(shared / "golden/net_io.npz");
  const std::vector<double> history = io.f64("history");
  kinglet::formats::RowReader reader({shared / "golden/net_rows.part"});
  std::vector<StoredRequest> requests;
  kinglet::Row row;
  while (reader.next(row)) {
    StoredRequest request;
    request.tokens.assign(row.tokens.begin(), row.tokens.end());
    const double* values = history.data() + requests.size() * kinglet::features::kHistoryValues;
    request.numerics.assign(values, values + kinglet::features::kHistoryValues);
    request.numerics.resize(kinglet::kRowNumerics);
    kinglet::features::fill_counts_and_ages(row, request.numerics.data());
    request.flags = kinglet::features::row_flags(row);
    request.categories = {model.language_category(row.language),
                          static_cast<uint32_t>(row.tweet_timestamp % 86'400 / 3'600),
                          kinglet::features::day_of_month(row.tweet_timestamp) - 1};
    requests.push_back(std::move(request));
  }
  REQUIRE(requests.size() == kRows);
  return requests;
}

std::vector<kinglet::kernels::Isa> native_isas() {
  std::vector<kinglet::kernels::Isa> isas;
  for (const auto isa : kinglet::kernels::built_isas()) {
    if (kinglet::kernels::supported(isa)) isas.push_back(isa);
  }
  return isas;
}

std::vector<std::string> scored_bits(const fs::path& model, kinglet::kernels::Isa isa,
                                     const std::vector<StoredRequest>& requests) {
  Session session(Model::open(model, {.isa = isa, .verify = true}));
  std::vector<std::string> bits;
  for (const StoredRequest& request : requests) bits.push_back(kinglet::test::logit_bits(session, request));
  return bits;
}

/// Of the logits from float64, and of the probabilities from the logits.
double largest_difference(const fs::path& model, kinglet::kernels::Isa isa,
                          const std::vector<StoredRequest>& requests, const std::vector<double>& expected) {
  Session session(Model::open(model, {.isa = isa}));
  double worst = 0;
  for (size_t i = 0; i < kRows; ++i) {
    kinglet::Scores scores;
    REQUIRE(session.score(requests[i].view(), scores) == kinglet::Status::ok);
    for (size_t t = 0; t < 4; ++t) {
      worst = std::max(worst, std::fabs(scores.logits[t] - expected[4 * i + t]));
      CHECK(scores.probabilities[t] ==
            doctest::Approx(1 / (1 + std::exp(-double{scores.logits[t]}))).epsilon(1e-7));
    }
  }
  return worst;
}

std::string_view name_of(Precision precision) {
  return kinglet::converter::kPrecisionNames[static_cast<size_t>(precision)];
}

/// What the logits may differ by. fp32: rounding of sums alone. The others: about
/// twice what was measured (bf16 8.2e-4, fp16 1.4e-4, int8 9.7e-4, mixed 6.7e-4, int4 3.8e-3). Weights are
/// off by up to 2^-9 of their size in bf16 and an eighth of that in fp16, which has three more digits; an
/// 8-bit weight by up to 1/254 of the largest of its output. As these errors are independent of each other
/// and of the inputs, they add up like a random walk: the relative error of a layer's sum is about that of
/// one weight, however many there are.
struct PrecisionBound {
  Precision precision;
  double largest;
};
constexpr PrecisionBound kBounds[] = {{Precision::fp32, 1e-6},   {Precision::bf16, 2e-3},
                                      {Precision::fp16, 2.5e-4}, {Precision::int8, 2e-3},
                                      {Precision::mixed, 2e-3},  {Precision::int4, 8e-3}};

}  // namespace

TEST_CASE("all 400 golden rows lie near the float64 logits, with the same bits on every instruction set") {
  REQUIRE_SHARED(shared);
  for (const PrecisionBound& bound : kBounds) {
    const TempDir dir;
    convert(shared, shared / "golden/net_h96.pt", dir / "m.kinglet", bound.precision);
    const std::vector<double> expected = NpzFile(shared / "golden/net_io.npz").f64("logits_f64");
    const std::vector<StoredRequest> requests = golden_requests(shared, Model::open(dir / "m.kinglet"));
    std::vector<std::string> first_bits;
    for (const auto isa : native_isas()) {
      const double worst = largest_difference(dir / "m.kinglet", isa, requests, expected);
      MESSAGE(name_of(bound.precision)
              << ", " << kinglet::kernels::isa_name(isa) << ": largest difference " << worst);
      CHECK(worst <= bound.largest);
      const std::vector<std::string> bits = scored_bits(dir / "m.kinglet", isa, requests);
      if (first_bits.empty()) first_bits = bits;
      CHECK(bits == first_bits);
    }
  }
}

TEST_CASE("the golden rows' features equal the golden input, and their categories") {
  REQUIRE_SHARED(shared);
  const TempDir dir;
  convert(shared, shared / "golden/net_h96.pt", dir / "m.kinglet");
  const Model model = Model::open(dir / "m.kinglet");
  const NpzFile io(shared / "golden/net_io.npz");
  const std::vector<double> input = io.f64("input");
  const std::vector<int64_t> categories[] = {io.i64("language"), io.i64("hour"), io.i64("day")};
  const std::vector<StoredRequest> requests = golden_requests(shared, model);
  const std::vector<double> inverse_scales = {2, 1, 0.5, 0.25, 0.125, 0x1p-4, 0x1p-5, 0x1p-6};
  constexpr size_t kInputs = 6300;
  constexpr size_t kSketch = 5120;
  double worst = 0;
  for (size_t i = 0; i < kRows; ++i) {
    const double* in = input.data() + i * kInputs + kSketch;
    for (const double value : requests[i].numerics) {
      double encoded[16];
      kinglet::features::encode_fourier_f64(value, inverse_scales, encoded);
      for (size_t k = 0; k < 16; ++k) worst = std::max(worst, std::fabs(encoded[k] - in[k]));
      in += 16;
    }
    for (size_t f = 0; f < kinglet::kRowFlags; ++f)
      CHECK(in[f] == static_cast<double>(requests[i].flags >> f & 1));
    for (size_t c = 0; c < 3; ++c) CHECK(static_cast<int64_t>(requests[i].categories[c]) == categories[c][i]);
  }
  CHECK(worst <= 1e-15);
}

TEST_CASE("golden/fourier.npz: every encoded value within 1e-15") {
  REQUIRE_SHARED(shared);
  const NpzFile file(shared / "golden/fourier.npz");
  const std::vector<double> values = file.f64("values");
  const std::vector<double> expected = file.f64("encoded");
  REQUIRE(expected.size() == values.size() * 16);
  const std::vector<double> inverse_scales = {2, 1, 0.5, 0.25, 0.125, 0x1p-4, 0x1p-5, 0x1p-6};
  for (size_t i = 0; i < values.size(); ++i) {
    double encoded[16];
    kinglet::features::encode_fourier_f64(values[i], inverse_scales, encoded);
    for (size_t k = 0; k < 16; ++k) CHECK(std::fabs(encoded[k] - expected[16 * i + k]) <= 1e-15);
  }
}

TEST_CASE("every checkpoint format gives the same tensors, and converting twice the same bytes") {
  REQUIRE_SHARED(shared);
  const TempDir dir;
  const kinglet::converter::TensorMap tensors =
      kinglet::converter::read_checkpoint(shared / "golden/net_h96.pt").tensors;
  kinglet::test::write_safetensors(dir / "net.safetensors", tensors);
  kinglet::test::write_npz(dir / "net.npz", tensors);
  convert(shared, shared / "golden/net_h96.pt", dir / "reference.kinglet");
  convert(shared, shared / "golden/net_h96.pt", dir / "again.kinglet");
  CHECK(kinglet::test::read_file(dir / "reference.kinglet") ==
        kinglet::test::read_file(dir / "again.kinglet"));
  const kinglet::formats::ModelFile reference(dir / "reference.kinglet");
  for (const fs::path& weights :
       {shared / "golden/net_h96_lightning.ckpt", dir / "net.safetensors", dir / "net.npz"}) {
    const auto report = convert(shared, weights, dir / "other.kinglet");
    CHECK(report.used.size() == 31);
    const kinglet::formats::ModelFile other(dir / "other.kinglet");
    REQUIRE(other.tensors().size() == reference.tensors().size());
    for (size_t i = 0; i < other.tensors().size(); ++i) {
      CHECK(other.tensors()[i].info->checksum_low() == reference.tensors()[i].info->checksum_low());
      CHECK(other.tensors()[i].info->checksum_high() == reference.tensors()[i].info->checksum_high());
    }
  }
}

TEST_CASE("8 golden rows have the same bits on every emulated CPU, in every precision") {
  REQUIRE_SHARED(shared);
  if (const std::string why = kinglet::test::no_emulator(shared); !why.empty()) {
    return kinglet::test::report_skipped(why);
  }
  const TempDir dir;
  convert(shared, shared / "golden/net_h96.pt", dir / "m.kinglet");
  std::vector<StoredRequest> requests = golden_requests(shared, Model::open(dir / "m.kinglet"));
  std::vector<StoredRequest> some;
  for (size_t i = 0; i < kRows; i += kRows / 8) some.push_back(std::move(requests[i]));
  kinglet::test::write_requests(dir / "requests", some);
  std::vector<fs::path> models;
  std::vector<std::string> expected;
  for (const PrecisionBound& bound : kBounds) {
    models.push_back(dir / (std::string(name_of(bound.precision)) + ".kinglet"));
    convert(shared, shared / "golden/net_h96.pt", models.back(), bound.precision);
    const std::vector<std::string> bits = scored_bits(models.back(), kinglet::kernels::Isa::scalar, some);
    expected.insert(expected.end(), bits.begin(), bits.end());
  }
  for (const kinglet::test::EmulatedCpu& cpu : kinglet::test::kEmulatedCpus) {
    kinglet::test::check_on_cpu(shared, cpu, KINGLET_PROBE, models, dir / "requests", expected);
  }
}
