#include "self_tests.h"

#include <bit>
#include <string>

#include "kinglet/formats/error.h"
#include "kinglet/model.h"
#include "kinglet/session.h"

namespace kinglet::converter {
namespace {

constexpr uint32_t kSelfTests = 8;

/// SplitMix64: the same numbers on every platform.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t below(uint64_t limit) {
    state_ += 0x9E37'79B9'7F4A'7C15U;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9U;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBU;
    return (z ^ (z >> 31)) % limit;
  }

 private:
  uint64_t state_;
};

/// Mostly small counts, as rows have; now and then a large, negative or fractional one.
double random_numeric(Random& random) {
  switch (random.below(8)) {
    case 0:
      return static_cast<double>(random.below(100'000'000));
    case 1:
      return -static_cast<double>(random.below(4'000));
    case 2:
      return static_cast<double>(random.below(1'000'000)) / 1'000'000.0;
    default:
      return static_cast<double>(random.below(4));
  }
}

std::unique_ptr<fbs::SelfTestT> make_self_test(const fbs::FeatureLayoutT& layout, uint64_t tokens,
                                               uint32_t number) {
  Random random(number);
  auto test = std::make_unique<fbs::SelfTestT>();
  // Number 0 is the empty tweet; ids up to one beyond the codebook, from a small set so that some repeat.
  for (uint32_t i = 0; i < 12 * number; ++i) {
    test->tokens.push_back(static_cast<uint32_t>(random.below(i % 3 == 0 ? 5 : tokens + 1)));
  }
  for (size_t i = 0; i < layout.numerics.size(); ++i) {
    test->numerics.push_back(number == 0 ? 0.0 : random_numeric(random));
  }
  for (size_t i = 0; i < layout.flags.size(); ++i) {
    const bool set = number == 1 || (number > 1 && random.below(2) == 1);
    test->flags |= static_cast<uint64_t>(set) << i;
  }
  for (const auto& embedding : layout.embeddings) {
    const uint32_t last = embedding->categories - 1;
    const auto any = static_cast<uint32_t>(random.below(embedding->categories));
    test->categories.push_back(number == 0 ? 0 : number == 1 ? last : any);
  }
  test->logits.assign(kTargets, 0);
  return test;
}

}  // namespace

void add_self_tests(fbs::ModelT& header, uint64_t tokens) {
  for (uint32_t number = 0; number < kSelfTests; ++number) {
    header.self_tests.push_back(make_self_test(*header.layout, tokens, number));
  }
}

void record_self_tests(formats::ModelFileWriter& writer, const std::string& name) {
  const formats::ModelFileWriter::Image image = writer.image();
  Session session(Model::from_memory(image.bytes, name, {.isa = kernels::Isa::scalar}));
  for (const auto& test : writer.header().self_tests) {
    Scores scores;
    const Status status =
        session.score({test->tokens, test->numerics, test->flags, test->categories}, scores);
    if (status != Status::ok) throw Error(name, "self-test", std::string(status_text(status)));
    for (size_t i = 0; i < kTargets; ++i) test->logits[i] = std::bit_cast<uint32_t>(scores.logits[i]);
  }
}

void verify_everywhere(formats::ModelFileWriter& writer, const std::string& name) {
  const formats::ModelFileWriter::Image image = writer.image();
  for (const kernels::Isa isa : kernels::built_isas()) {
    if (kernels::supported(isa)) Model::from_memory(image.bytes, name, {.isa = isa, .verify = true});
  }
}

}  // namespace kinglet::converter
