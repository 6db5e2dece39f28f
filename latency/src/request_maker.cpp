#include "kinglet/latency/request_maker.h"

#include <algorithm>
#include <string>

#include "kinglet/feature_names.h"
#include "kinglet/features/row_features.h"
#include "kinglet/formats/error.h"

namespace kinglet::latency {
namespace {

constexpr size_t kFirstCommunityNumeric = kRowNumerics;
constexpr size_t kFirstCommunityFlag = kRowFlags;

/// Where each feature of a layout stands in `names`. `from_row` says whether a row gives that one.
template <typename Features, typename Names, typename FromRow>
std::vector<size_t> sources(const Model& model, const Features& features, const Names& names,
                            const FromRow& from_row) {
  std::vector<size_t> found;
  for (const auto* feature : features) {
    const std::string name = feature->name()->str();
    const auto source = static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    if (source == names.size() || !from_row(source)) {
      throw Error(model.file().path(), "layout",
                  "expected features that rows and their history give, got '" + name + "'");
    }
    found.push_back(source);
  }
  return found;
}

}  // namespace

RequestMaker::RequestMaker(Model model) : model_(std::move(model)) {
  const fbs::FeatureLayout& layout = *model_.file().header().layout();
  numeric_sources_ = sources(model_, *layout.numerics(), numeric_names(), [](size_t i) {
    return i < kFirstCommunityNumeric || i >= features::kFirstShownNumeric;
  });
  flag_sources_ =
      sources(model_, *layout.flags(), flag_names(), [](size_t i) { return i < kFirstCommunityFlag; });
  embedding_sources_ = sources(model_, *layout.embeddings(), kEmbeddingNames, [](size_t) { return true; });
  shown_ = std::any_of(numeric_sources_.begin(), numeric_sources_.end(),
                       [](size_t source) { return source >= features::kFirstShownNumeric; });
  numerics_.resize(numeric_sources_.size());
  categories_.resize(embedding_sources_.size());
}

Request RequestMaker::make(const Row& row, const formats::HistoryFile& history) noexcept {
  const features::RowFeatures features = features::row_features(row, history, nullptr, shown_);
  for (size_t i = 0; i < numerics_.size(); ++i) numerics_[i] = features.numerics[numeric_sources_[i]];
  uint64_t flags = 0;
  for (size_t i = 0; i < flag_sources_.size(); ++i) flags |= (features.flags >> flag_sources_[i] & 1) << i;
  const uint32_t categories[] = {model_.language_category(row.language), features.hour, features.day};
  for (size_t i = 0; i < categories_.size(); ++i) categories_[i] = categories[embedding_sources_[i]];
  return {row.tokens, numerics_, flags, categories_};
}

}  // namespace kinglet::latency
