#include "self_test.h"

#include <bit>
#include <string>

#include "kinglet/formats/error.h"
#include "kinglet/session.h"

namespace kinglet {
namespace {

Request request_of(const fbs::SelfTest& test) {
  return {.tokens = {test.tokens()->data(), test.tokens()->size()},
          .numerics = {test.numerics()->data(), test.numerics()->size()},
          .flags = test.flags(),
          .categories = {test.categories()->data(), test.categories()->size()}};
}

}  // namespace

void run_self_tests(const Model& model) {
  Session session(model);
  unsigned number = 0;
  for (const fbs::SelfTest* test : *model.file().header().self_tests()) {
    const std::string place = "self-test " + std::to_string(number++);
    Scores scores;
    const Status status = session.score(request_of(*test), scores);
    if (status != Status::ok) throw Error(model.file().path(), place, std::string(status_text(status)));
    bool same = test->logits()->size() == kTargets;
    for (unsigned i = 0; same && i < kTargets; ++i) {
      same = std::bit_cast<uint32_t>(scores.logits[i]) == test->logits()->Get(i);
    }
    if (!same) {
      throw Error(model.file().path(), place,
                  "the logits differ from those that the converter computed (instruction set " +
                      std::string(kernels::isa_name(model.isa())) + ")");
    }
  }
}

void check_codebook(const Model& model) {
  const formats::ModelFile& file = model.file();
  if (file.header().layout()->token_mean() != nullptr) return;  // vectors: finite is enough
  const formats::TensorView& codes = file.tensor(file.header().codebook()->string_view(), "codebook");
  const uint64_t depth = codes.dimension(1);
  const uint32_t width = file.header().layout()->sketch()->width();
  for (uint64_t token = 0; token < codes.dimension(0); ++token) {
    const uint16_t* code = codes.u16() + token * depth;
    for (uint64_t d = 0; d < depth; ++d) {
      const bool none = code[d] == formats::kNoCode;
      if (none != (code[0] == formats::kNoCode) || (!none && code[d] >= width)) {
        throw Error(file.path(), "codebook, token " + std::to_string(token),
                    "expected codes below " + std::to_string(width) + " at every depth, or none at all");
      }
    }
  }
}

}  // namespace kinglet
