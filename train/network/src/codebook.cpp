#include "codebook.h"

#include <fmt/format.h>

#include "kinglet/converter/vocabulary.h"
#include "kinglet/formats/error.h"

namespace kinglet::train {

Codebook::Codebook(const std::filesystem::path& path, uint32_t empty_depth, uint32_t width) : width_(width) {
  converter::CodebookJson json = converter::read_codebook(path);
  static_assert(converter::CodebookJson::kNoCode == kNoCode);
  depth_ = json.depth == 0 ? empty_depth : json.depth;
  codes_ = std::move(json.codes);
  if (inputs() > (1U << 24)) {
    throw Error(path.string(), "",
                fmt::format("depth {} x width {} is above 2^24 sketch inputs", depth_, width_));
  }
  for (size_t i = 0; i < codes_.size(); ++i) {
    if (codes_[i] == kNoCode) continue;
    const uint64_t first = i % depth_ * uint64_t{width_};
    if (codes_[i] >= first && codes_[i] < first + width_) continue;
    throw Error(
        path.string(), fmt::format("token {}", i / depth_),
        fmt::format(
            "code {} at depth {}, expected {} to {}: the codebook was made for another --width than {}",
            codes_[i], i % depth_, first, first + width_ - 1, width_));
  }
}

}  // namespace kinglet::train
