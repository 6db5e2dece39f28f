#include "kinglet/feature_set.h"

#include "kinglet/feature_names.h"

namespace kinglet {

std::vector<size_t> FeatureSet::numerics() const {
  std::vector<size_t> result;
  const auto add = [&](size_t first, size_t count) {
    for (size_t i = 0; i < count; ++i) result.push_back(first + i);
  };
  add(0, kRowNumerics);
  if (communities) add(kRowNumerics, kCommunityNumerics);
  if (shown) add(kRowNumerics + kCommunityNumerics, kShownNumerics);
  return result;
}

size_t FeatureSet::flag_count() const noexcept {
  return kRowFlags + (communities ? kCommunityFlags : 0);
}

features::Encoding FeatureSet::numeric_encoding() const {
  return encoding == features::EncodingKind::fourier ? features::Encoding::fourier()
                                                     : features::Encoding::log_steps();
}

size_t FeatureSet::plain_inputs() const {
  return numerics().size() * numeric_encoding().values() + flag_count();
}

std::string FeatureSet::name() const {
  std::string result = "recsys2021";
  if (communities) result += "-communities";
  if (shown) result += "-shown";
  if (encoding == features::EncodingKind::log_steps) result += "-log_steps";
  if (sketch_norm == fbs::SketchNorm::tweet) result += "-tweet_norm";
  return result;
}

}  // namespace kinglet
