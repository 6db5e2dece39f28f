#include "kinglet/feature_set.h"

#include <string_view>

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
  if (fine_ages) add(kRowNumerics + kCommunityNumerics + kShownNumerics, kFineAgeNumerics);
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
  if (fine_ages) result += "-fine_ages";
  if (encoding == features::EncodingKind::log_steps) result += "-log_steps";
  if (sketch_norm == fbs::SketchNorm::tweet) result += "-tweet_norm";
  if (text == TextInput::token_mean) result += "-token_mean";
  return result;
}

fbs::Scope numeric_scope(size_t numeric) {
  const std::string_view name = numeric_names().at(numeric);
  if (name.starts_with("reader_account_age")) return fbs::Scope::pair;  // at the tweet's time
  // Under swapped roles the reader's counters are looked up as an author's, and the other way round.
  const bool swapped = name.starts_with("valid_swapped_");
  for (const std::string_view part :
       {"train_", "valid_", "valid_swapped_", "valid_none_", "train_none_", ""}) {
    if (!name.starts_with(part)) continue;
    const std::string_view rest = name.substr(part.size());
    if (rest.starts_with("author")) return swapped ? fbs::Scope::reader : fbs::Scope::tweet;
    if (rest.starts_with("reader")) return swapped ? fbs::Scope::tweet : fbs::Scope::reader;
    if (rest.starts_with("tweet")) return fbs::Scope::tweet;
  }
  const bool tweets_own = name == "hashtag_count" || name == "token_count" || name == "train_similarity_sum";
  return tweets_own ? fbs::Scope::tweet : fbs::Scope::pair;
}

fbs::Scope flag_scope(size_t flag) {
  const std::string_view name = flag_names().at(flag);
  if (name == "reader_is_verified") return fbs::Scope::reader;
  const bool both = name == "engagee_follows_engager" || name.starts_with("same_community");
  return both ? fbs::Scope::pair : fbs::Scope::tweet;
}

}  // namespace kinglet
