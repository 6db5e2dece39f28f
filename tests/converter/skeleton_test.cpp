// The sign skeleton: hidden layers folded into the first one's rows give the logits of the dense plan,
// whatever sides of 0 were taken to be usual and however many units are off them.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <random>

#include "kinglet/converter/convert.h"
#include "kinglet/converter/tensors.h"
#include "kinglet/formats/row_reader.h"
#include "kinglet/model.h"
#include "kinglet/session.h"

#include "support/checkpoint_writer.h"
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
using kinglet::converter::TensorMap;
using kinglet::test::ModelSources;
using kinglet::test::SmallWorld;
using kinglet::test::StoredRequest;
using kinglet::test::TempDir;

constexpr uint32_t kVocabulary = 400;

kinglet::synthetic::NetworkOptions network_of(size_t hidden) {
  kinglet::synthetic::NetworkOptions network;
  network.hidden = hidden;
  network.depth = 3;
  network.width = 8;
  network.languages = 6;
  return network;
}

/// An invented network of odd size, a world to calibrate with, and its dense plan in fp32.
struct Fixture {
  explicit Fixture(size_t hidden)
      : world(dir, 200), sources(kinglet::test::write_model_sources(dir, network_of(hidden), kVocabulary)) {}

  ConvertReport convert(Precision precision, uint32_t layers, uint64_t rows = 20'000) {
    ConvertOptions options = kinglet::test::calibrated(sources, world, precision, layers);
    options.calibration.maximum_rows = rows;
    return kinglet::converter::convert(options, path());
  }
  Model dense() {
    kinglet::converter::convert(sources.options(), dir / "dense.kinglet");
    return Model::open(dir / "dense.kinglet");
  }
  Model model() const { return Model::open(path(), {.verify = true}); }
  /// The latest model with other limits of its dense ways, a folded layer each; self-tests may not hold.
  std::filesystem::path with_limits(const std::vector<uint32_t>& limits) const {
    const kinglet::formats::ModelFile file(path());
    std::unique_ptr<kinglet::fbs::ModelT> header(file.header().UnPack());
    for (size_t layer = 0; layer < limits.size(); ++layer)
      header->plan->steps[layer]->dense_way->limit = limits[layer];
    std::vector<std::vector<std::byte>> tensors;
    for (const auto& tensor : file.tensors()) tensors.emplace_back(tensor.bytes.begin(), tensor.bytes.end());
    kinglet::formats::ModelFileWriter(std::move(*header), std::move(tensors)).write(dir / "limits.kinglet");
    return dir / "limits.kinglet";
  }
  std::filesystem::path path() const { return dir / "m.kinglet"; }

  TempDir dir;
  SmallWorld world;
  ModelSources sources;
};

/// Every vector of the sessions' plans by the names that plans use.
constexpr const char* kValues[] = {"l1",      "projection", "sum2",    "sum3",   "sum4",  "hidden1",
                                   "hidden2", "hidden3",    "hidden4", "logits", "flips1"};

double largest_value(const Session& session) {
  double largest = 1;
  for (const char* name : kValues) {
    for (const float value : session.value(name)) largest = std::max(largest, std::fabs(double{value}));
  }
  return largest;
}

size_t flips(const Session& session, const char* name) {
  const auto values = session.value(name);
  return values.size() - static_cast<size_t>(std::count(values.begin(), values.end(), 0.0F));
}

struct Difference {
  double largest = 0;   // of a logit
  double relative = 0;  // to the largest number that either plan computed for that request
  size_t flips = 0;     // units of the first layer off their usual side, at most
};

Difference difference(const Model& skeleton, const Model& dense, const std::vector<StoredRequest>& requests) {
  Session a(skeleton);
  Session b(dense);
  Difference result;
  for (const StoredRequest& request : requests) {
    Scores ours;
    Scores theirs;
    REQUIRE(a.score(request.view(), ours) == Status::ok);
    REQUIRE(b.score(request.view(), theirs) == Status::ok);
    double largest = 0;
    for (size_t t = 0; t < kinglet::kTargets; ++t)
      largest = std::max(largest, std::fabs(double{ours.logits[t]} - double{theirs.logits[t]}));
    result.largest = std::max(result.largest, largest);
    result.relative = std::max(result.relative, largest / std::max(largest_value(a), largest_value(b)));
    result.flips = std::max(result.flips, flips(a, "flips1"));
  }
  return result;
}

/// The validation rows as requests.
std::vector<StoredRequest> rows_of(const Model& model, const SmallWorld& world) {
  const kinglet::formats::HistoryFile history(world.history);
  Session session(model);
  kinglet::formats::RowReader reader({world.valid});
  std::vector<StoredRequest> requests;
  kinglet::Row row;
  while (reader.next(row)) {
    kinglet::Request request;
    REQUIRE(session.request(row, history, request) == Status::ok);
    requests.push_back({{request.tokens.begin(), request.tokens.end()},
                        {request.numerics.begin(), request.numerics.end()},
                        request.flags,
                        {request.categories.begin(), request.categories.end()}});
  }
  return requests;
}

/// Both plans sum the same numbers in other orders, some thousand terms an output, and each rounding is off
/// by 2^-24 of the largest partial sum at most; the errors are random, so that sums of n grow by sqrt(n).
/// What a layer makes of the error of the one before is of the size that it makes of the values themselves.
constexpr double kRounding = 2e-6;

void check_same(Fixture& fixture, const Model& dense, uint64_t rows) {
  std::vector<StoredRequest> requests = rows_of(dense, fixture.world);
  const std::vector<StoredRequest> more = kinglet::test::invented_requests(dense, 60, kVocabulary);
  requests.insert(requests.end(), more.begin(), more.end());
  for (uint32_t layers = 1; layers <= 3; ++layers) {
    const ConvertReport report = fixture.convert(Precision::fp32, layers, rows);
    REQUIRE(report.calibration);
    CHECK(report.calibration->folded_layers == layers);
    const Model model = fixture.model();
    CHECK(model.file().header().plan()->name()->str() == "skeleton" + std::to_string(layers));
    const Difference found = difference(model, dense, requests);
    MESSAGE("layers " << layers << ": " << found.largest << ", relative " << found.relative << ", flips "
                      << found.flips);
    CHECK(found.relative <= kRounding);
    CHECK(found.flips > 0);
  }
}

void check_same_bits(const std::filesystem::path& path, const std::vector<StoredRequest>& requests) {
  std::vector<std::string> expected;
  for (const auto isa : kinglet::kernels::built_isas()) {
    if (!kinglet::kernels::supported(isa)) continue;
    Session session(Model::open(path, {.isa = isa}));
    std::vector<std::string> bits;
    bits.reserve(requests.size());
    for (const StoredRequest& request : requests) bits.push_back(kinglet::test::logit_bits(session, request));
    if (expected.empty()) expected = bits;
    CHECK(bits == expected);
  }
}

float* floats_of(TensorMap& tensors, const std::string& name) {
  return reinterpret_cast<float*>(tensors.at(name).bytes.data());
}

}  // namespace

TEST_CASE("1, 2 and 3 folded layers give the dense plan's logits, at odd sizes") {
  for (const size_t hidden : {5, 33, 96}) {
    CAPTURE(hidden);
    Fixture fixture(hidden);
    check_same(fixture, fixture.dense(), 20'000);
  }
}

TEST_CASE("sides that one row made usual, most of them wrong for others, cost columns but no accuracy") {
  Fixture fixture(33);
  const Model dense = fixture.dense();
  check_same(fixture, dense, 1);
  // A request that takes many units off their usual side.
  fixture.convert(Precision::fp32, 3, 1);
  const Difference found =
      difference(fixture.model(), dense, kinglet::test::invented_requests(dense, 60, kVocabulary));
  CHECK(found.flips >= 8);
}

TEST_CASE("units that are always or never above 0, and columns of zeros") {
  Fixture fixture(33);
  TensorMap tensors = kinglet::converter::read_checkpoint(fixture.sources.weights).tensors;
  for (const char* bias : {"l1.bias", "l2.bias", "l3.bias"}) {
    floats_of(tensors, bias)[0] = 60;
    floats_of(tensors, bias)[1] = -60;
  }
  // Unit 2 of each layer is read by none behind, and by the residual with 0: no column has a scale.
  for (const char* weight : {"l2.weight", "l3.weight", "l4.weight"}) {
    for (size_t o = 0; o < 33; ++o) floats_of(tensors, weight)[o * 33 + 2] = 0;
  }
  floats_of(tensors, "bn1.weight")[2] = 0;
  kinglet::test::write_safetensors(fixture.sources.weights, tensors);
  check_same(fixture, fixture.dense(), 20'000);
  fixture.convert(Precision::int8, 3);
  fixture.model();  // verified
}

TEST_CASE("narrow skeletons have the same bits on every instruction set, and stay near fp32") {
  Fixture fixture(33);
  const Model dense = fixture.dense();
  std::vector<StoredRequest> requests = rows_of(dense, fixture.world);
  const std::vector<StoredRequest> more = kinglet::test::invented_requests(dense, 40, kVocabulary);
  requests.insert(requests.end(), more.begin(), more.end());
  struct Narrow {
    Precision precision;
    double bound;
  };
  // One step of the narrowest table, relative to the largest of an output: 8 bits 2^-7, bf16 2^-8, f16 2^-11,
  // 4 bits 2^-3. A value is off by half of it at most, errors of the rows are independent, and the layers
  // behind pass them on at about their size.
  for (const Narrow narrow :
       {Narrow{Precision::int8, 0x1p-7}, Narrow{Precision::mixed, 0x1p-7}, Narrow{Precision::int4, 0x1p-3},
        Narrow{Precision::bf16, 0x1p-8}, Narrow{Precision::fp16, 0x1p-11}}) {
    for (uint32_t layers = 1; layers <= 3; ++layers) {
      CAPTURE(layers);
      fixture.convert(narrow.precision, layers);
      const Difference found = difference(fixture.model(), dense, requests);
      MESSAGE("precision " << static_cast<int>(narrow.precision) << ", layers " << layers << ": "
                           << found.largest << ", relative " << found.relative << ", flips " << found.flips);
      CHECK(found.relative <= narrow.bound);
      CHECK(found.relative > 0);
      fixture.model();  // verified
      check_same_bits(fixture.path(), requests);
    }
  }
}

TEST_CASE("columns and the dense way give the same logits, and the same bits on every instruction set") {
  Fixture fixture(33);
  const Model dense = fixture.dense();
  // Sides that one row made usual: many flips in every layer.
  const std::vector<StoredRequest> requests = kinglet::test::invented_requests(dense, 60, kVocabulary);
  struct Bound {
    Precision precision;
    double largest;
  };
  // As in the test above, doubled but for fp32: with most units flipped the errors of columns join those of
  // rows (int8, 3 layers: .0079).
  for (const Bound bound :
       {Bound{Precision::fp32, kRounding}, Bound{Precision::int8, 0x1p-6}, Bound{Precision::mixed, 0x1p-6},
        Bound{Precision::bf16, 0x1p-7}, Bound{Precision::fp16, 0x1p-10}}) {
    for (uint32_t layers = 1; layers <= 3; ++layers) {
      fixture.convert(bound.precision, layers, 1);
      std::vector<std::vector<uint32_t>> limits = {std::vector<uint32_t>(layers, 32),
                                                   std::vector<uint32_t>(layers, 0)};
      // Columns before the dense way, and a dense way after which few flips are left.
      for (uint32_t layer = 0; layers > 1 && layer < layers; ++layer) {
        limits.emplace_back(layers, 32);
        limits.back()[layer] = 0;
      }
      for (const std::vector<uint32_t>& limit : limits) {
        CAPTURE(static_cast<int>(bound.precision));
        CAPTURE(layers);
        const std::filesystem::path path = fixture.with_limits(limit);
        const Difference found = difference(Model::open(path), dense, requests);
        CHECK(found.relative <= bound.largest);
        CHECK(found.flips > 0);
        check_same_bits(path, requests);
      }
    }
  }
}

TEST_CASE("the dense way is taken by requests with more flips than the limit, and by no others") {
  Fixture fixture(33);
  fixture.dense();
  fixture.convert(Precision::fp32, 1, 1);
  const Model columns = Model::open(fixture.with_limits({32}));
  const uint64_t dense_bytes = columns.file().tensor("flips1.dense.weights", "test").bytes.size();
  const uint64_t column = columns.file().tensor("flips1.columns", "test").bytes.size() / 33;
  const std::vector<StoredRequest> requests = kinglet::test::invented_requests(columns, 60, kVocabulary);
  Session always(columns);
  size_t above = 0;
  for (const uint32_t limit : {0U, 3U, 6U}) {
    Session limited(Model::open(fixture.with_limits({limit})));
    for (const StoredRequest& request : requests) {
      Scores scores;
      REQUIRE(always.score(request.view(), scores) == Status::ok);
      REQUIRE(limited.score(request.view(), scores) == Status::ok);
      const size_t count = flips(limited, "flips1");
      CHECK(count == flips(always, "flips1"));
      const uint64_t without = always.bytes_read().total() - count * column;
      CHECK(limited.bytes_read().total() == without + (count > limit ? dense_bytes : count * column));
      above += count > limit ? 1 : 0;
    }
  }
  CHECK(above > 0);
  CHECK(above < 3 * requests.size());
}

TEST_CASE("no request reads more than its rows, the dense layers, and of each folded one its limit's worth") {
  Fixture fixture(33);
  fixture.dense();
  for (uint32_t layers = 1; layers <= 3; ++layers) {
    fixture.convert(Precision::int8, layers, 1);
    const Model model = fixture.model();
    const auto one = [&](const std::string& name) { return model.file().tensor(name, "test"); };
    uint64_t flips = 0;
    for (const kinglet::fbs::Step* step : *model.file().header().plan()->steps()) {
      if (step->columns() == nullptr) continue;
      const uint64_t column = one(step->columns()->str()).bytes.size() / 33;
      const uint64_t dense = one(step->dense_way()->weights()->str()).bytes.size();
      const uint64_t limit = step->dense_way()->limit();
      CHECK(limit * column <= dense * layers);
      CHECK(limit < 33);
      flips += std::max(limit * column, dense);
    }
    CHECK(flips > 0);
    Session session(model);
    Scores scores;
    for (const StoredRequest& request : kinglet::test::invented_requests(model, 60, kVocabulary)) {
      REQUIRE(session.score(request.view(), scores) == Status::ok);
      const uint64_t stride = one("first_layer.bias").info->padded_columns();
      const uint64_t features = request.numerics.size() * 16 + model.flag_count() + model.category_count();
      uint64_t weights = one("logits.weights").bytes.size();
      for (uint32_t layer = layers + 2; layer <= 4; ++layer)
        weights += one("hidden" + std::to_string(layer) + ".weights").bytes.size();
      CHECK(session.bytes_read().total() <=
            flips + weights + features * stride * 2 + request.tokens.size() * 3 * stride);
    }
  }
}

TEST_CASE("the published network: the skeleton gives the dense plan's logits") {
  REQUIRE_SHARED(shared);
  const TempDir dir;
  const SmallWorld world(dir, 200);
  const ModelSources sources{shared / "golden/net_h96.pt", shared / "golden/subwords_bert.json",
                             shared / "golden/language2id.json"};
  kinglet::converter::convert(sources.options(), dir / "dense.kinglet");
  const Model dense = Model::open(dir / "dense.kinglet");
  std::vector<StoredRequest> requests = rows_of(dense, world);
  const std::vector<StoredRequest> more = kinglet::test::invented_requests(dense, 100, 30'522);
  requests.insert(requests.end(), more.begin(), more.end());
  for (uint32_t layers = 1; layers <= 3; ++layers) {
    ConvertOptions options = kinglet::test::calibrated(sources, world, Precision::fp32, layers);
    options.calibration.rows = {shared / "golden/net_rows.part"};
    kinglet::converter::convert(options, dir / "m.kinglet");
    const Difference found = difference(Model::open(dir / "m.kinglet", {.verify = true}), dense, requests);
    MESSAGE("layers " << layers << ": " << found.largest << ", relative " << found.relative << ", flips "
                      << found.flips);
    CHECK(found.relative <= kRounding);
    CHECK(found.flips > 0);
  }
}
