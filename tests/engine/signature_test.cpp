// One number for all of a model's scoring: a hash of the logits of 10,000 fixed requests to a fixed network.
// Every compiler, build and instruction set must give it.
#include "emulated/signature.h"

#include <cstring>
#include <optional>

#include "kinglet/session.h"

#include "emulated/signature_model.h"

namespace {

using namespace kinglet;

void check_all_isas(const std::filesystem::path& path, std::string_view name, int requests,
                    uint64_t expected) {
  for (const auto isa : kernels::built_isas()) {
    if (!kernels::supported(isa)) continue;
    const uint64_t actual = test::signature(Model::open(path, {.isa = isa}), requests);
    CHECK_MESSAGE(actual == expected, name << ", " << kernels::isa_name(isa) << ": " << std::hex << actual);
  }
}

}  // namespace

TEST_CASE("each precision's signature is the same on every instruction set, compiler and build") {
  for (const test::PrecisionSignature& expected : test::kSignatures) {
    const test::TempDir dir;
    check_all_isas(test::write_signature_model(dir, expected.precision), test::name_of(expected.precision),
                   10'000, expected.signature);
  }
}

TEST_CASE("so is the signature of every model with folded layers") {
  for (const test::SkeletonSignature& expected : test::kSkeletonSignatures) {
    const test::TempDir dir;
    const std::filesystem::path path = test::write_signature_model(dir, expected);
    check_all_isas(path, test::name_of(expected), test::kSkeletonRequests, expected.signature);
    const Model model = Model::open(path);
    if (expected.precision == converter::Precision::int4) {
      const auto& sketch = *model.file().tensor("sketch.rows", "test").info;
      CHECK(sketch.packing() == fbs::Packing::split);
      CHECK(sketch.narrow_bits() == expected.side_bits);
      CHECK((model.file().tensor("encoded.rows", "test").info->narrow() != 0) == (expected.side_bits == 1));
      CHECK((model.file().tensor("feature.rows", "test").info->narrow() != 0) == (expected.side_bits == 1));
    }
    if (expected.precision != converter::Precision::int8) continue;
    CHECK(model.file().tensor("feature.rows", "test").info->type() == fbs::ElementType::s8);
  }
}

TEST_CASE("the signature of a token mean is the same on every instruction set, compiler and build") {
  const kinglet::test::TempDir dir;
  const std::filesystem::path path = kinglet::test::write_mean_signature_model(dir);
  for (const auto isa : kinglet::kernels::built_isas()) {
    if (!kinglet::kernels::supported(isa)) continue;
    const uint64_t actual = kinglet::test::signature(kinglet::Model::open(path, {.isa = isa}));
    CHECK_MESSAGE(actual == kinglet::test::kMeanSignature, kinglet::kernels::isa_name(isa)
                                                               << ": " << std::hex << actual);
  }
}

TEST_CASE("signs: tweets of 150, 40,000 and two million tokens have the same bits on every instruction set") {
  const test::SkeletonSignature& skeleton = *(std::end(test::kSkeletonSignatures) - 1);
  REQUIRE(skeleton.side_bits == 1);
  const test::TempDir dir;
  const std::filesystem::path path = test::write_signature_model(dir, skeleton);
  for (const size_t tokens : {150, 40'000, 2'000'000}) {
    CAPTURE(tokens);
    std::optional<Scores> expected;
    for (const auto isa : kernels::built_isas()) {
      if (!kernels::supported(isa)) continue;
      const Model model = Model::open(path, {.isa = isa});
      Session session(model);
      std::vector<uint32_t> text(tokens + 2);
      for (size_t t = 0; t < text.size(); ++t)
        text[t] = static_cast<uint32_t>(t % 7 == 0 ? 5 : t * t % 2'000);
      const std::vector<double> numerics(model.numeric_count(), 3.0);
      const std::vector<uint32_t> categories(model.category_count(), 0);
      Scores scores;
      REQUIRE(session.score({text, numerics, 1, categories}, scores) == Status::ok);
      if (!expected) expected = scores;
      CHECK_MESSAGE(std::memcmp(scores.logits.data(), expected->logits.data(), sizeof scores.logits) == 0,
                    kernels::isa_name(isa));
    }
  }
}
