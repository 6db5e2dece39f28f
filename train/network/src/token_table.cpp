#include "token_table.h"

#include <fmt/format.h>

#include "kinglet/codebook/emde.h"
#include "kinglet/converter/vocabulary.h"
#include "kinglet/formats/error.h"

namespace kinglet::train {

TokenTable::TokenTable(const std::filesystem::path& codebook, uint32_t empty_depth, uint32_t width)
    : width_(width) {
  converter::CodebookJson json = converter::read_codebook(codebook);
  static_assert(converter::CodebookJson::kNoCode == kNoCode);
  depth_ = json.depth == 0 ? empty_depth : json.depth;
  codes_ = std::move(json.codes);
  if (uint64_t{depth_} * width_ > (1U << 24)) {
    throw Error(codebook.string(), "",
                fmt::format("depth {} x width {} is above 2^24 sketch inputs", depth_, width_));
  }
  for (size_t i = 0; i < codes_.size(); ++i) {
    if (codes_[i] == kNoCode) continue;
    const uint64_t first = i % depth_ * uint64_t{width_};
    if (codes_[i] >= first && codes_[i] < first + width_) continue;
    throw Error(
        codebook.string(), fmt::format("token {}", i / depth_),
        fmt::format(
            "code {} at depth {}, expected {} to {}: the codebook was made for another --width than {}",
            codes_[i], i % depth_, first, first + width_ - 1, width_));
  }
}

TokenTable::TokenTable(const std::filesystem::path& vectors)
    : kind_(TextInput::token_mean),
      vectors_(codebook::standardised(converter::read_token_vectors(vectors))),
      table_(converter::vector_table(vectors_, vectors.string())) {}

std::string TokenTable::described() const {
  return kind_ == TextInput::sketch ? fmt::format("{} x {}", depth_, width_)
                                    : fmt::format("mean of {}", vectors_.dimensions);
}

}  // namespace kinglet::train
