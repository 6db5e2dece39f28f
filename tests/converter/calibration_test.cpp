// Conversions with calibration rows: rows of frequent values, what they save and what they cost, the report,
// and what is refused.

#include "../../converter/src/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "kinglet/converter/convert.h"
#include "kinglet/features/encoding.h"
#include "kinglet/formats/error.h"
#include "kinglet/formats/row_reader.h"
#include "kinglet/model.h"
#include "kinglet/session.h"

#include "support/small_world.h"

namespace {

using kinglet::Model;
using kinglet::Scores;
using kinglet::Session;
using kinglet::Status;
using kinglet::converter::CalibrationReport;
using kinglet::converter::ConvertOptions;
using kinglet::converter::Precision;
using kinglet::features::Encoding;
using kinglet::test::error_of;
using kinglet::test::ModelSources;
using kinglet::test::SmallWorld;
using kinglet::test::TempDir;
namespace fbs = kinglet::fbs;

constexpr uint64_t kRows = 50;  // of the world's validation

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Fixture {
  /// By default most of what a tweet adds is text.
  explicit Fixture(uint32_t depth = 40, uint32_t hidden = 33)
      : world(dir, 4 * kRows),
        sources(kinglet::test::write_model_sources(dir, network(depth, hidden), 3'000)) {}

  static kinglet::synthetic::NetworkOptions network(uint32_t depth, uint32_t hidden) {
    kinglet::synthetic::NetworkOptions network = kinglet::test::tiny_network();
    network.hidden = hidden;
    network.depth = depth;
    return network;
  }
  ConvertOptions options(Precision precision, uint32_t layers = 0) const {
    return kinglet::test::calibrated(sources, world, precision, layers);
  }
  CalibrationReport convert(const ConvertOptions& options) const {
    const auto report = kinglet::converter::convert(options, path());
    REQUIRE(report.calibration);
    return *report.calibration;
  }
  Model model() const { return Model::open(path(), {.verify = true}); }
  std::filesystem::path path() const { return dir / "m.kinglet"; }

  /// The message of a conversion that is refused and leaves nothing behind.
  std::string refused(const ConvertOptions& options) const {
    const auto files = [&] { return std::distance(std::filesystem::directory_iterator(dir.path()), {}); };
    const auto before = files();
    std::string message = error_of([&] { kinglet::converter::convert(options, path()); });
    CHECK(files() == before);
    return message;
  }

  TempDir dir;
  SmallWorld world;
  ModelSources sources;
};

/// A request without words, whose numbers are all 0 but one.
struct OneNumber {
  OneNumber(const Model& model, size_t numeric, double value)
      : numerics(model.numeric_count()), categories(model.category_count()) {
    numerics[numeric] = value;
  }
  void score(Session& session) const {
    Scores scores;
    REQUIRE(session.score({{}, numerics, 0, categories}, scores) == Status::ok);
  }
  std::vector<double> numerics;
  std::vector<uint32_t> categories;
};

std::vector<float> value_of(Session& session, const OneNumber& request, const char* name) {
  request.score(session);
  const auto value = session.value(name);
  return {value.begin(), value.end()};
}

struct FrequentValue {
  size_t numeric;
  double value;
  uint64_t row;  // counted through all tables
  const fbs::Numeric* feature;
};

std::vector<FrequentValue> frequent_values(const Model& model) {
  std::vector<FrequentValue> all;
  const auto& numerics = *model.file().header().layout()->numerics();
  for (uint32_t i = 0; i < numerics.size(); ++i) {
    const fbs::Numeric* numeric = numerics.Get(i);
    if (numeric->table_values() == nullptr) continue;
    for (uint32_t v = 0; v < numeric->table_values()->size(); ++v)
      all.push_back({i, numeric->table_values()->Get(v), numeric->table_first_row() + v, numeric});
  }
  return all;
}

std::vector<float> encoded(double value) {
  const Encoding encoding = Encoding::fourier();
  std::vector<float> result(encoding.values());
  encoding.encode(value, result.data());
  return result;
}

/// Of one element of the rows of encoded values.
uint64_t encoded_bytes(const Model& model) {
  return kinglet::formats::bytes_of(model.file().tensor("encoded.rows", "test").info->type(), 1);
}

/// A number that is not among the feature's frequent ones.
double unusual(const FrequentValue& frequent) {
  double value = 1'234.5;
  for (const double known : *frequent.feature->table_values()) value += known == value ? 1 : 0;
  return value;
}

}  // namespace

TEST_CASE(
    "a frequent value's row is the sum of its encoded rows less those of 0, rounded once, and is added") {
  const Fixture fixture;
  fixture.convert(fixture.options(Precision::fp32));
  const Model model = fixture.model();
  const std::vector<float> at_zero = encoded(0);
  const auto& rows = model.file().tensor("first_layer.rows", "test");
  const uint64_t stride = rows.info->padded_columns();
  Session session(model);
  size_t compared = 0;
  for (const FrequentValue& frequent : frequent_values(model)) {
    CAPTURE(frequent.numeric);
    CAPTURE(frequent.value);
    const std::vector<float> at_value = encoded(frequent.value);
    std::vector<double> sum(stride);
    for (size_t k = 0; k < at_value.size(); ++k) {
      const double weight = double{at_value[k]} - double{at_zero[k]};
      const float* row = rows.f32() + (frequent.feature->first_row() + k) * stride;
      for (size_t o = 0; o < stride; ++o) sum[o] += weight * double{row[o]};
    }
    const float* own = rows.f32() + frequent.row * stride;
    for (size_t o = 0; o < stride; ++o) CHECK(own[o] == static_cast<float>(sum[o]));
    // The tweet's embeddings join the tweet's numbers before they are added; alone stand the others'.
    if (frequent.feature->scope() == fbs::Scope::tweet) continue;
    const auto without = value_of(session, {model, frequent.numeric, 0}, "l1");
    const auto with = value_of(session, {model, frequent.numeric, frequent.value}, "l1");
    for (size_t o = 0; o < with.size(); ++o) CHECK(with[o] == without[o] + own[o]);
    ++compared;
  }
  CHECK(compared > 10);
}

TEST_CASE("narrow rows of frequent values and of encoded ones lie within their roundings of each other") {
  const Fixture fixture;
  const std::vector<float> at_zero = encoded(0);
  for (const Precision precision : {Precision::int8, Precision::mixed, Precision::int4}) {
    CAPTURE(static_cast<int>(precision));
    ConvertOptions options = fixture.options(precision);
    fixture.convert(options);
    kinglet::test::write_file(fixture.dir / "with.kinglet", kinglet::test::read_file(fixture.path()));
    options.calibration.frequent_bytes = 0;
    fixture.convert(options);
    const Model with = Model::open(fixture.dir / "with.kinglet", {.verify = true});
    const Model without = fixture.model();
    const float* own_step = with.file().tensor("feature.rows.scale", "test").f32();
    // Rows in 8 bits make up for each other: each may be off by more than half a step, all in the mean are
    // not off by a whole one.
    const bool diffused = with.file().tensor("feature.rows", "test").info->type() == fbs::ElementType::s8;
    double squares = 0;  // of errors beyond the encoded rows', in own steps
    double count = 0;
    const float* step = with.file().tensor("encoded.rows.scale", "test").f32();
    // 8-bit rows are added in 4096ths: each weight is off by half of one at most, times up to 127 steps.
    const double weight_error = encoded_bytes(with) == 1 ? 127.0 / 8192 : 0;
    Session a(with);
    Session b(without);
    const std::vector<FrequentValue> all = frequent_values(with);
    CHECK(all.size() > 10);
    for (const FrequentValue& frequent : all) {
      const OneNumber request(with, frequent.numeric, frequent.value);
      const OneNumber nothing(with, frequent.numeric, 0);
      const auto one_row = value_of(a, request, "l1");
      const auto many_rows = value_of(b, request, "l1");
      const auto one_zero = value_of(a, nothing, "l1");
      const auto many_zero = value_of(b, nothing, "l1");
      const std::vector<float> at_value = encoded(frequent.value);
      double errors = 0;  // of the encoded rows, in steps
      for (size_t k = 0; k < at_value.size(); ++k)
        errors += std::fabs(double{at_value[k]} - double{at_zero[k]}) / 2 + weight_error;
      for (size_t o = 0; o < one_row.size(); ++o) {
        const double off = std::fabs((double{one_row[o]} - double{one_zero[o]}) -
                                     (double{many_rows[o]} - double{many_zero[o]}));
        // And what rounding to float makes of at most 16 terms.
        const double others = errors * double{step[o]} + 0x1p-20 * (1 + std::fabs(double{one_row[o]}));
        if (!diffused) CHECK(off <= double{own_step[o]} / 2 + others);
        const double beyond = std::max(off - others, 0.0) / double{own_step[o]};
        squares += beyond * beyond;
        ++count;
      }
    }
    CHECK(squares < count);
  }
}

TEST_CASE("a frequent value reads one row, any other the rows of its encoding, 0 none") {
  const Fixture fixture;
  for (const uint32_t layers : {0, 1}) {  // columns, of which every flip reads one
    CAPTURE(layers);
    fixture.convert(fixture.options(Precision::int8, layers));
    const Model model = fixture.model();
    const uint64_t columns = model.file().tensor("first_layer.bias", "test").info->padded_columns();
    const uint64_t flip_bytes =
        layers == 0 ? 0 : model.file().tensor("flips1.columns", "test").info->padded_columns();
    Session session(model);
    const auto read = [&](size_t numeric, double value) {
      OneNumber(model, numeric, value).score(session);
      const auto flips = session.value("flips1");
      const auto zeros = static_cast<size_t>(std::count(flips.begin(), flips.end(), 0.0F));
      return session.bytes_read().total() - flip_bytes * (flips.size() - zeros);
    };
    const std::vector<FrequentValue> all = frequent_values(model);
    REQUIRE(!all.empty());
    for (const FrequentValue& frequent : all) {
      const uint64_t nothing = read(frequent.numeric, 0);
      CHECK(read(frequent.numeric, frequent.value) == nothing + columns);
      CHECK(read(frequent.numeric, unusual(frequent)) == nothing + 16 * columns * encoded_bytes(model));
    }
  }
}

TEST_CASE("rows that count once go down to 8 bits where the text's rows are most of a tweet's") {
  for (const uint32_t depth : {2U, 40U}) {
    CAPTURE(depth);
    const Fixture fixture(depth);
    for (const Precision precision : {Precision::int8, Precision::int4, Precision::mixed}) {
      CAPTURE(static_cast<int>(precision));
      fixture.convert(fixture.options(precision, 1));
      const auto type = fixture.model().file().tensor("feature.rows", "test").info->type();
      const bool small = depth == 40 && precision != Precision::mixed;
      CHECK(type == (small ? fbs::ElementType::s8 : fbs::ElementType::s16));
    }
  }
}

TEST_CASE("frequent rows keep to their bytes, most frequent first, and without any the tables are the same") {
  const Fixture fixture;
  ConvertOptions options = fixture.options(Precision::fp32);
  std::map<uint32_t, uint64_t> counts;
  for (const uint32_t layers : {0, 1, 2, 3}) {
    CAPTURE(layers);
    options = fixture.options(Precision::int8, layers);
    options.calibration.frequent_bytes = 10'000;
    const CalibrationReport report = fixture.convert(options);
    const Model model = fixture.model();
    const uint64_t row = model.file().tensor("feature.rows", "test").info->padded_columns();
    const uint64_t length = report.frequent_rows * row;
    CHECK(length <= 10'000);
    CHECK(length + row > 10'000);
    counts[layers] = report.frequent_rows;
  }
  CHECK(counts[0] >= counts[1]);
  CHECK(counts[2] > counts[3]);

  options = fixture.options(Precision::fp32);
  options.calibration.frequent_bytes = 0;
  const CalibrationReport none = fixture.convert(options);
  CHECK(none.frequent_rows == 0);
  CHECK(none.folded_layers == 0);
  const kinglet::formats::ModelFile calibrated(fixture.path());
  kinglet::converter::convert(fixture.sources.options(), fixture.dir / "plain.kinglet");
  const kinglet::formats::ModelFile plain(fixture.dir / "plain.kinglet");
  REQUIRE(plain.tensors().size() == calibrated.tensors().size());
  for (size_t i = 0; i < plain.tensors().size(); ++i)
    CHECK(plain.tensors()[i].info->checksum_low() == calibrated.tensors()[i].info->checksum_low());
}

TEST_CASE("with one norm a tweet frequent tokens have rows of their own: the same sums, fewer bytes") {
  const Fixture fixture;
  const kinglet::formats::HistoryFile history(fixture.world.history);
  for (const Precision precision : {Precision::fp32, Precision::int8, Precision::bf16, Precision::int4}) {
    CAPTURE(static_cast<int>(precision));
    ConvertOptions options = fixture.options(precision, 1);
    options.features.sketch_norm = fbs::SketchNorm::tweet;
    options.calibration.token_bytes = 100'000;
    const CalibrationReport with = fixture.convert(options);
    CHECK(with.token_rows > 0);
    const Model tokens = fixture.model();
    const auto& rows = tokens.file().tensor("token.rows", "test");
    CHECK(rows.dimension(0) == with.token_rows);
    CHECK(rows.bytes.size() <= 100'000);
    kinglet::test::write_file(fixture.dir / "tokens.kinglet", kinglet::test::read_file(fixture.path()));
    options.calibration.token_bytes = 0;
    const CalibrationReport without = fixture.convert(options);
    CHECK(without.token_rows == 0);
    CHECK(with.bytes_mean < without.bytes_mean);
    REQUIRE(with.after.size() == without.after.size());
    // A token's row is rounded once where its codes' rows are rounded each: binary32 2^-24, bf16 2^-9 of a
    // row, 8 bits 2^-8 of the largest of a column, against 4 bits 2^-4.
    const std::map<Precision, double> bounds = {{Precision::fp32, 1e-6},
                                                {Precision::bf16, 0x1p-9},
                                                {Precision::int8, 0x1p-8},
                                                {Precision::int4, 0x1p-4}};
    const double bound = bounds.at(precision);
    CHECK((rows.info->type() == fbs::ElementType::s8) ==
          (precision == Precision::int8 || precision == Precision::int4));
    for (size_t i = 0; i < with.after.size(); ++i) {
      for (size_t t = 0; t < kinglet::kTargets; ++t)
        CHECK(std::fabs(double{with.after[i][t]} - double{without.after[i][t]}) <= bound);
    }
  }
  // One norm a depth has no such rows: a token's weight differs from depth to depth.
  CHECK(fixture.convert(fixture.options(Precision::int8)).token_rows == 0);
}

TEST_CASE("a sketch of any depth has rows of tokens") {
  const TempDir dir;
  const SmallWorld world(dir, 80);
  kinglet::synthetic::NetworkOptions network = kinglet::test::tiny_network();
  network.depth = 259;
  network.width = 2;
  const ModelSources sources = kinglet::test::write_model_sources(dir, network, 3'000);
  for (const Precision precision : {Precision::int8, Precision::int4, Precision::fp32}) {
    ConvertOptions options = kinglet::test::calibrated(sources, world, precision, 0);
    options.features.sketch_norm = fbs::SketchNorm::tweet;
    const auto report = kinglet::converter::convert(options, dir / "m.kinglet");
    REQUIRE(report.calibration);
    CHECK(report.calibration->token_rows > 0);
  }
}

TEST_CASE("the report: layers, probabilities, bytes and flips of every row") {
  const Fixture fixture;
  const CalibrationReport fp32 = fixture.convert(fixture.options(Precision::fp32, 0));
  CHECK(fp32.before.size() == kRows);
  CHECK(fp32.layers.size() == 7);  // l1, projection, hidden1..4, logits
  for (const auto& layer : fp32.layers) {
    CAPTURE(layer.name);
    CHECK(layer.rms <= 1e-6 * std::max(1.0, layer.magnitude));
  }
  for (const Precision precision :
       {Precision::bf16, Precision::fp16, Precision::int8, Precision::mixed, Precision::int4}) {
    CAPTURE(static_cast<int>(precision));
    const CalibrationReport report = fixture.convert(fixture.options(precision, 2));
    CHECK(report.folded_layers == 2);
    CHECK(report.before == fp32.before);
    CHECK(report.after.size() == kRows);
    CHECK(report.after != report.before);
    CHECK(report.layers.front().name == "l1");
    CHECK(report.layers.back().name == "logits");
    CHECK(report.layers.back().rms > 0);
    CHECK(report.layers.back().rms < 0.01 * report.layers.back().magnitude);
    CHECK(report.layers.back().largest >= report.layers.back().rms);
    CHECK(report.bytes_mean > 0);
    CHECK(report.bytes_mean < fp32.bytes_mean);
    CHECK(static_cast<double>(report.bytes_p99) >= report.bytes_mean);
    const CalibrationReport dense = fixture.convert(fixture.options(precision, 0));
    CHECK(report.dense_bytes_mean == doctest::Approx(dense.bytes_mean));
    CHECK(report.dense_bytes_p99 == dense.bytes_p99);
    CHECK(dense.dense_bytes_mean == dense.bytes_mean);
    CHECK_FALSE(dense.flips);
    REQUIRE(report.flips);
    for (const double flips : *report.flips) {
      CHECK(flips > 0);
      CHECK(flips <= 33.0 / 2);
    }
  }
}

TEST_CASE("what is folded is chosen where nothing is said, and fewer rows are taken where asked for") {
  const Fixture fixture;
  ConvertOptions options = fixture.options(Precision::int8);
  options.folded_layers = std::nullopt;
  options.calibration.maximum_rows = 7;
  const CalibrationReport report = fixture.convert(options);
  CHECK(report.before.size() == 7);
  CHECK(report.folded_layers <= 3);
  const std::string text = fixture.model().file().header().provenance()->options()->str();
  CHECK(contains(text, "calibrate-rows=7 frequent-bytes=65536 token-bytes=67108864 fold=" +
                           std::to_string(report.folded_layers)));
  options.scattered_cost = 1e-3;
  CHECK(fixture.convert(options).folded_layers == 3);  // no dense weights but the output's
  options.scattered_cost = 1e3;
  CHECK(fixture.convert(options).folded_layers == 0);  // the shortest rows
}

TEST_CASE("int4's bits of sides: as asked for, where there are columns enough, told of, and fewer bytes") {
  const Fixture fixture;
  const auto provenance = [](const Fixture& of) {
    return of.model().file().header().provenance()->options()->str();
  };
  ConvertOptions options = fixture.options(Precision::int4, 3);
  const CalibrationReport chosen = fixture.convert(options);
  CHECK(chosen.side_bits == 4);  // an untrained network's units are as often on one side as on the other
  CHECK(contains(provenance(fixture), " fold=3 side-bits=4"));
  options.side_bits = 1;  // of three blocks of 64 columns: less than a group of signs
  CHECK(fixture.convert(options).side_bits == 4);

  const Fixture larger(40, 70);
  std::array<CalibrationReport, 2> reports;
  for (const uint32_t bits : {1U, 4U}) {
    options = larger.options(Precision::int4, 3);
    options.calibration.frequent_bytes = uint64_t{1} << 14;
    options.side_bits = bits;
    CalibrationReport& report = reports[bits == 1 ? 0 : 1];
    report = larger.convert(options);
    CHECK(report.side_bits == bits);
    CHECK(contains(provenance(larger), " fold=3 side-bits=" + std::to_string(bits)));
    options.calibration.frequent_bytes = 0;  // else shorter rows are more
    const double folded = larger.convert(options).dense_bytes_mean;
    options.folded_layers = 0;
    const CalibrationReport dense = larger.convert(options);
    CHECK(dense.side_bits == 0);
    CHECK(!contains(provenance(larger), "side-bits"));
    CHECK(folded == doctest::Approx(dense.bytes_mean));
  }
  CHECK(reports[0].bytes_mean < reports[1].bytes_mean);
  CHECK(reports[0].frequent_rows > reports[1].frequent_rows);  // shorter rows, as many bytes
  CHECK(reports[0].layers.back().rms < 0.1 * reports[0].layers.back().magnitude);
  options = fixture.options(Precision::int8, 3);
  CHECK(fixture.convert(options).side_bits == 0);
}

TEST_CASE("signs are chosen where units are seldom off their usual side") {
  using kinglet::converter::choose_side_bits;
  kinglet::converter::Sides sides;
  sides.flips = {10, 25, 50};
  CHECK(choose_side_bits(sides, 3, 1'500) == 1);  // 85 of 4,500
  CHECK(choose_side_bits(sides, 3, 1'400) == 4);
  CHECK(choose_side_bits(sides, 1, 1'400) == 1);
  sides.flips = {14, 292, 329};  // the simulated world's, trained without a penalty
  for (const size_t layers : {2, 3}) CHECK(choose_side_bits(sides, layers, 1'500) == 4);
}

TEST_CASE("the provenance tells calibration rows and history from others") {
  const Fixture fixture;
  const auto source = [&](const std::string& role) {
    std::vector<std::string> found;
    const Model model = fixture.model();
    for (const fbs::Source* one : *model.file().header().provenance()->sources()) {
      if (one->role()->string_view() != role) continue;
      found.push_back(std::to_string(one->bytes()) + " " +
                      kinglet::formats::to_hex({one->checksum_low(), one->checksum_high()}));
    }
    return found;
  };
  const auto expected = [](const std::string& text) {
    const auto checksum = kinglet::formats::checksum_of(std::as_bytes(std::span(text)));
    return std::vector{std::to_string(text.size()) + " " + kinglet::formats::to_hex(checksum)};
  };
  ConvertOptions options = fixture.options(Precision::int8);
  fixture.convert(options);
  const std::string rows = kinglet::test::read_file(fixture.world.valid / "part-00000");
  CHECK(source("calibration rows") == expected(rows));
  CHECK(source("calibration history") == expected(kinglet::test::read_file(fixture.world.history)));

  // The same rows in two files.
  const size_t half = rows.find('\n', rows.size() / 2) + 1;
  std::filesystem::create_directory(fixture.dir / "split");
  kinglet::test::write_file(fixture.dir / "split/part-0", rows.substr(0, half));
  kinglet::test::write_file(fixture.dir / "split/part-1", rows.substr(half));
  options.calibration.rows = {fixture.dir / "split"};
  fixture.convert(options);
  CHECK(source("calibration rows") == expected(rows));

  options.calibration.maximum_rows = 1;
  fixture.convert(options);
  CHECK(source("calibration rows") == expected(rows.substr(0, rows.find('\n') + 1)));

  kinglet::converter::convert(fixture.sources.options(), fixture.path());
  CHECK(source("calibration rows").empty());
  CHECK(source("calibration history").empty());
}

TEST_CASE("the same rows give the same bytes") {
  const Fixture fixture;
  for (const Precision precision : {Precision::fp32, Precision::int8, Precision::bf16, Precision::int4}) {
    fixture.convert(fixture.options(precision, 2));
    const std::string first = kinglet::test::read_file(fixture.path());
    fixture.convert(fixture.options(precision, 2));
    CHECK(kinglet::test::read_file(fixture.path()) == first);
    CHECK(!contains(first, fixture.dir.path().string()));
  }
}

TEST_CASE("calibrations that cannot be made are refused by name, and leave no file behind") {
  const Fixture fixture;
  const ConvertOptions good = fixture.options(Precision::int8, 1);
  const auto refused = [&](const auto& change) {
    ConvertOptions options = good;
    change(options);
    return fixture.refused(options);
  };
  CHECK(contains(refused([](ConvertOptions& o) { o.calibration = {}; }), "--fold: needs calibration rows"));
  CHECK(contains(refused([](ConvertOptions& o) { o.folded_layers = 4; }), "--fold: expected 0 to 3 layers"));
  for (const double cost :
       {0.0, -1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(contains(refused([&](ConvertOptions& o) { o.scattered_cost = cost; }),
                   "--scattered-cost: expected a number above 0"));
  }
  CHECK(contains(refused([](ConvertOptions& o) { o.side_bits = 1; }),
                 "--side-bits: belongs to --precision int4"));
  for (const uint32_t bits : {0U, 2U, 3U, 8U}) {
    CHECK(contains(refused([&](ConvertOptions& o) {
                     o.precision = Precision::int4;
                     o.side_bits = bits;
                   }),
                   "--side-bits: expected 1 or 4"));
  }
  CHECK(contains(refused([](ConvertOptions& o) { o.calibration.history.clear(); }),
                 "--calibrate: needs the history"));
  CHECK(contains(refused([](ConvertOptions& o) { o.calibration.maximum_rows = 0; }),
                 "--calibrate-rows: expected at least one row"));

  kinglet::test::write_file(fixture.dir / "empty", "");
  kinglet::test::write_file(fixture.dir / "wrong", "not a row\n");
  kinglet::test::write_file(fixture.dir / "blank", "\n\n");
  CHECK(contains(refused([&](ConvertOptions& o) { o.calibration.rows = {fixture.dir / "nowhere"}; }),
                 "nowhere: "));
  CHECK(
      contains(refused([&](ConvertOptions& o) { o.calibration.rows = {fixture.dir / "empty"}; }), "empty: "));
  CHECK(contains(refused([&](ConvertOptions& o) { o.calibration.rows = {fixture.dir / "wrong"}; }),
                 "wrong: line 1: "));
  CHECK(contains(refused([&](ConvertOptions& o) { o.calibration.rows = {fixture.dir / "blank"}; }),
                 "blank: line 1: "));
  CHECK(contains(refused([&](ConvertOptions& o) { o.calibration.history = fixture.dir / "nowhere"; }),
                 "nowhere: cannot open"));
  CHECK(contains(refused([&](ConvertOptions& o) { o.calibration.history = fixture.dir / "wrong"; }),
                 "wrong: "));
  kinglet::converter::convert(fixture.sources.options(), fixture.dir / "model");
  CHECK(contains(refused([&](ConvertOptions& o) { o.calibration.history = fixture.dir / "model"; }),
                 "model: "));
}
