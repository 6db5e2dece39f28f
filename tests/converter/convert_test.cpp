// What a conversion refuses, ignores and reports.
#include "kinglet/converter/convert.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kinglet/converter/tensors.h"
#include "kinglet/formats/error.h"
#include "kinglet/model.h"

#include "../../converter/src/half.h"
#include "../../kernels/scalar/widen.h"
#include "support/checkpoint_writer.h"
#include "support/small_model.h"

namespace {

using kinglet::converter::ConvertOptions;
using kinglet::converter::ConvertReport;
using kinglet::converter::ElementType;
using kinglet::converter::Precision;
using kinglet::converter::Tensor;
using kinglet::converter::TensorMap;
using kinglet::test::error_of;
using kinglet::test::TempDir;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A tiny network's sources, whose tensors a test may change before it converts them.
struct Fixture {
  Fixture() : sources(kinglet::test::write_model_sources(dir, kinglet::test::tiny_network(), 11)) {
    tensors = kinglet::converter::read_checkpoint(sources.weights).tensors;
    options = sources.options();
  }
  ConvertReport convert() {
    kinglet::test::write_safetensors(sources.weights, tensors);
    return kinglet::converter::convert(options, dir / "m.kinglet");
  }
  std::string error() {
    const std::string message = error_of([&] { convert(); });
    CHECK(!std::filesystem::exists(dir / "m.kinglet"));
    return message;
  }
  void set_float(const std::string& name, size_t index, float value) {
    std::memcpy(tensors.at(name).bytes.data() + 4 * index, &value, 4);
  }

  TempDir dir;
  kinglet::test::ModelSources sources;
  TensorMap tensors;
  ConvertOptions options;
};

Tensor zeros(std::vector<uint64_t> shape, ElementType type = ElementType::f32) {
  Tensor tensor;
  tensor.type = type;
  tensor.shape = std::move(shape);
  tensor.bytes.resize(tensor.elements() * kinglet::converter::element_size(type));
  return tensor;
}

}  // namespace

TEST_CASE("a conversion reports what it found, used and ignored") {
  Fixture fixture;
  fixture.tensors["bn1.num_batches_tracked"] = zeros({}, ElementType::i64);
  fixture.tensors["extra.weight"] = zeros({2, 3});
  const ConvertReport report = fixture.convert();
  CHECK(report.hidden == 5);
  CHECK(report.depth == 2);
  CHECK(report.width == 4);
  CHECK(report.inputs == 2 * 4 + 73 * 16 + 12 + 60);
  CHECK(report.languages == 3);
  CHECK(report.layout == "recsys2021");
  CHECK(report.used.size() == 31);
  REQUIRE(report.ignored.size() == 2);
  CHECK(report.ignored[1].first == "extra.weight");
  CHECK(report.ignored[1].second == "f32 [2, 3]");
  CHECK(report.file_bytes == std::filesystem::file_size(fixture.dir / "m.kinglet"));
  kinglet::Model::open(fixture.dir / "m.kinglet", {.verify = true});
}

TEST_CASE("strict refuses tensors of unknown name, but not step counters") {
  Fixture fixture;
  fixture.options.strict = true;
  fixture.tensors["bn3.num_batches_tracked"] = zeros({}, ElementType::i64);
  fixture.convert();
  std::filesystem::remove(fixture.dir / "m.kinglet");
  fixture.tensors["extra.weight"] = zeros({2, 3});
  CHECK(contains(fixture.error(), "tensor extra.weight: not part of the network"));
}

TEST_CASE("every tensor of the network is needed, by name") {
  const TensorMap all = Fixture().tensors;
  for (const auto& entry : all) {
    const std::string& name = entry.first;
    Fixture fixture;
    fixture.tensors.erase(name);
    CAPTURE(name);
    CHECK(contains(fixture.error(), name == "l1.weight" ? "l1.weight" : "tensor " + name + ": missing"));
  }
}

TEST_CASE("every tensor of the network must have its shape and be finite") {
  const TensorMap all = Fixture().tensors;
  for (const auto& entry : all) {
    const std::string& name = entry.first;
    const Tensor& tensor = entry.second;
    CAPTURE(name);
    Fixture fixture;
    fixture.tensors.at(name).shape.insert(fixture.tensors.at(name).shape.begin(), 1);
    CHECK(contains(fixture.error(), "tensor " + name + ": expected"));
    for (const uint32_t bits : {0x7FC00000U, 0x7F800000U, 0xFF800000U}) {
      Fixture bad;
      bad.set_float(name, tensor.elements() - 1, std::bit_cast<float>(bits));
      CHECK(contains(bad.error(), "tensor " + name + ": element " + std::to_string(tensor.elements() - 1) +
                                      " is not finite"));
    }
  }
}

TEST_CASE("integers, negative variances and folded overflow are refused") {
  Fixture integers;
  integers.tensors["l2.bias"] = zeros({5}, ElementType::i32);
  CHECK(contains(integers.error(), "tensor l2.bias: expected floating-point values, found i32"));
  Fixture variance;
  variance.set_float("bn2.running_var", 3, -1e-9F);
  CHECK(contains(variance.error(), "tensor bn2.running_var: element 3 is negative"));
  Fixture overflow;
  overflow.set_float("bn1.weight", 0, 3e38F);
  overflow.set_float("bn1.running_var", 0, 0);
  CHECK(contains(overflow.error(), "does not fit a float"));
}

TEST_CASE("values beyond fp16 are refused by name, with bf16 as the way out, and bf16 holds them") {
  for (const auto& [tensor, name] : {std::pair<const char*, const char*>{"l2.weight", "hidden2.weights"},
                                     {"l1.weight", "sketch.rows"},
                                     {"projection.weight", "sketch.rows"}}) {
    for (const float value : {65'520.0F, -1e9F}) {  // the first that rounds to infinity, and far beyond
      Fixture fixture;
      fixture.set_float(tensor, 0, value);
      fixture.options.precision = Precision::fp16;
      const std::string message = fixture.error();
      CHECK(contains(message, "tensor " + std::string(name)));
      CHECK(contains(message, "does not fit fp16"));
      CHECK(contains(message, "--precision bf16"));
      fixture.options.precision = Precision::bf16;
      fixture.convert();
      kinglet::Model::open(fixture.dir / "m.kinglet", {.verify = true});
    }
    Fixture largest;
    largest.set_float(tensor, 0, 65'519.0F);
    largest.options.precision = Precision::fp16;
    largest.convert();
  }
  Fixture beyond;
  beyond.set_float("l2.weight", 0, std::numeric_limits<float>::max());
  beyond.options.precision = Precision::bf16;
  CHECK(contains(beyond.error(), "tensor hidden2.weights: a folded value does not fit bf16"));
}

TEST_CASE("each precision stores what it says, vectors and the output layer as floats") {
  using Type = kinglet::fbs::ElementType;
  struct Stored {
    Precision precision;
    Type sketch, features, hidden;
  };
  for (const Stored& stored : {Stored{Precision::bf16, Type::bf16, Type::bf16, Type::bf16},
                               Stored{Precision::fp16, Type::f16, Type::f16, Type::f16},
                               Stored{Precision::int8, Type::s8, Type::s16, Type::s8},
                               Stored{Precision::mixed, Type::s8, Type::s16, Type::bf16},
                               Stored{Precision::int4, Type::s4, Type::s16, Type::s8}}) {
    Fixture fixture;
    fixture.options.precision = stored.precision;
    fixture.convert();
    const kinglet::formats::ModelFile file(fixture.dir / "m.kinglet");
    const auto type_of = [&file](const char* name) { return file.tensor(name, "test").info->type(); };
    CHECK(file.header().precision()->string_view() ==
          kinglet::converter::kPrecisionNames[static_cast<size_t>(stored.precision)]);
    CHECK(type_of("sketch.rows") == stored.sketch);
    CHECK(type_of("feature.rows") == stored.features);
    for (const char* name : {"hidden2.weights", "hidden3.weights", "hidden4.weights"})
      CHECK(type_of(name) == stored.hidden);
    for (const char* name : {"logits.weights", "logits.bias", "first_layer.bias", "hidden2.bias"})
      CHECK(type_of(name) == Type::f32);
  }
}

TEST_CASE("16-bit floats: every finite value stands for itself, and what lies between goes to the nearest") {
  const auto check = [](auto round, uint32_t infinity) {
    for (uint32_t bits = 0; bits < infinity; ++bits) {
      const decltype(round(0.0, "t")) value{static_cast<uint16_t>(bits)};
      const double low = kinglet::kernels::widen(value);
      CHECK(round(low, "t").bits == bits);
      CHECK(round(-low, "t").bits == (bits | 0x8000U));
      if (bits + 1 == infinity) break;
      const decltype(value) next{static_cast<uint16_t>(bits + 1)};
      const double high = kinglet::kernels::widen(next);
      const double middle = (low + high) / 2;  // exact in double, but not always in float
      const uint32_t even = bits + (bits & 1);
      CHECK(round(middle, "t").bits == even);
      CHECK(round(std::nextafter(middle, 0.0), "t").bits == bits);
      CHECK(round(std::nextafter(middle, high), "t").bits == bits + 1);
      CHECK(round(-std::nextafter(middle, high), "t").bits == ((bits + 1) | 0x8000U));
    }
  };
  check(kinglet::converter::to_bf16, 0x7F80);
  check(kinglet::converter::to_f16, 0x7C00);
}

TEST_CASE("half, bfloat and double checkpoints convert as their exact values") {
  Fixture fixture;
  for (auto& [name, tensor] : fixture.tensors) {  // values that every type holds
    for (size_t i = 0; i < tensor.elements(); ++i) {
      const float value = static_cast<float>(static_cast<int>(i % 7) - 3) / 4;
      fixture.set_float(name, i, name.ends_with("running_var") ? 1.0F : value);
    }
  }
  fixture.convert();
  const std::string expected = kinglet::test::read_file(fixture.dir / "m.kinglet").substr(1 << 14);
  for (auto& [name, tensor] : fixture.tensors) {
    Tensor wide = zeros(tensor.shape, ElementType::f64);
    const std::vector<double> values = tensor.to_f64();
    std::memcpy(wide.bytes.data(), values.data(), wide.bytes.size());
    tensor = wide;
  }
  fixture.convert();
  CHECK(kinglet::test::read_file(fixture.dir / "m.kinglet").substr(1 << 14) == expected);
}

TEST_CASE("the sketch's width must be whole and agree with codebook and options") {
  Fixture width;
  width.options.width = 5;
  CHECK(contains(width.error(), "that makes the width 4, expected 5"));
  Fixture depth;
  depth.options.depth = 3;
  CHECK(contains(depth.error(), "--depth: 3, but the codebook has 2"));
  Fixture communities;
  communities.options.features.communities = true;
  CHECK(contains(communities.error(), "recsys2021-communities"));
  Fixture code;
  kinglet::test::write_file(code.sources.codebook, R"({"7": [1, 9]})");
  CHECK(contains(code.error(), "token 7: code 9 at depth 1, expected 4 to 7"));
  Fixture uneven;
  kinglet::test::write_file(uneven.sources.codebook, R"({"7": [1, 2, 3]})");
  CHECK(contains(uneven.error(), "no whole width for depth 3"));
}

TEST_CASE("an empty codebook takes depth and width from the options") {
  Fixture fixture;
  kinglet::test::write_file(fixture.sources.codebook, "{}");
  fixture.options.depth = 2;
  fixture.options.width = 4;
  CHECK(fixture.convert().known_tokens == 0);
  fixture.options.depth = fixture.options.width = std::nullopt;
  std::filesystem::remove(fixture.dir / "m.kinglet");
  CHECK(contains(fixture.error(), "no whole width for depth 20"));
}

TEST_CASE("languages need rows 0, 1, 2 ... and one row more in the table") {
  Fixture gap;
  kinglet::test::write_file(gap.sources.languages, R"({"A": 0, "B": 2})");
  CHECK(contains(gap.error(), "'B': row 2, expected the rows 0, 1, 2"));
  Fixture many;
  kinglet::test::write_file(many.sources.languages, R"({"A": 0, "B": 1, "C": 2, "D": 3})");
  CHECK(contains(many.error(), "tensor language.weight: 4 rows for 4 languages"));
}

TEST_CASE("the same input gives the same bytes, and names no path and no time") {
  Fixture fixture;
  fixture.convert();
  const std::string first = kinglet::test::read_file(fixture.dir / "m.kinglet");
  fixture.convert();
  CHECK(kinglet::test::read_file(fixture.dir / "m.kinglet") == first);
  CHECK(!contains(first, fixture.dir.path().string()));
}

TEST_CASE("a full disk or an interruption leaves no file, and an older one untouched") {
  Fixture fixture;
  kinglet::test::write_file(fixture.dir / "m.kinglet", "old");
  {
    const kinglet::test::FileSizeLimit limit(100'000);
    CHECK(contains(error_of([&] { kinglet::converter::convert(fixture.options, fixture.dir / "m.kinglet"); }),
                   "cannot write"));
  }
  const auto interrupt = [](std::string_view stage, uint64_t, uint64_t, std::string_view) {
    if (stage == "writing") throw kinglet::Interrupted();
  };
  error_of([&] { kinglet::converter::convert(fixture.options, fixture.dir / "m.kinglet", interrupt); });
  CHECK(kinglet::test::read_file(fixture.dir / "m.kinglet") == "old");
  CHECK(std::distance(std::filesystem::directory_iterator(fixture.dir.path()), {}) == 4);
}

TEST_CASE("weights decayed to denormals are stored as 0, and counted") {
  // In every kind of tensor: rows of the sketch and of numbers, hidden and output weights, biases, and the
  // normalisation's scale.
  const std::pair<const char*, size_t> places[] = {
      {"l1.weight", 3},  {"l1.weight", 60},      {"projection.weight", 1}, {"l2.weight", 7},
      {"l4.weight", 24}, {"l_output.weight", 2}, {"l3.bias", 4},           {"bn2.weight", 1}};
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::fp16, Precision::int8}) {
    CAPTURE(static_cast<int>(precision));
    const auto tensors_with = [&](float value, uint64_t& negligible) {
      Fixture fixture;
      fixture.options.precision = precision;
      for (const auto& [name, index] : places) fixture.set_float(name, index, value);
      negligible = fixture.convert().negligible;
      const kinglet::formats::ModelFile file(fixture.dir / "m.kinglet");
      std::vector<std::vector<std::byte>> tensors;
      for (const auto& tensor : file.tensors()) {
        tensors.emplace_back(tensor.bytes.begin(), tensor.bytes.end());
        if (tensor.info->type() != kinglet::fbs::ElementType::f32) continue;
        for (size_t i = 0; i * 4 < tensor.bytes.size(); ++i)
          CHECK_FALSE(std::fpclassify(tensor.f32()[i]) == FP_SUBNORMAL);
      }
      return tensors;
    };
    uint64_t of_zeros = 0;
    uint64_t of_denormals = 0;
    const auto zeros = tensors_with(0, of_zeros);
    const auto denormals = tensors_with(1e-40F, of_denormals);
    CHECK(zeros == denormals);
    CHECK(of_zeros == 0);
    CHECK(of_denormals > 0);
  }
}
