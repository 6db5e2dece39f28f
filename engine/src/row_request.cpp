#include "row_request.h"

namespace kinglet {

void RowRequest::book(const Layout& layout, Arena& arena) {
  numerics_offset_ = arena.book<double>(layout.numerics.size());
  categories_offset_ = arena.book<uint32_t>(layout.embeddings.size());
}

void RowRequest::take(const Arena& arena) noexcept {
  numerics_ = arena.part<double>(numerics_offset_);
  categories_ = arena.part<uint32_t>(categories_offset_);
}

Request RowRequest::fill(const Model& model, const Layout& layout, const Row& row,
                         const features::RowFeatures& features) noexcept {
  Request request;
  for (size_t i = 0; i < layout.numerics.size(); ++i) {
    numerics_[i] = features.numerics[static_cast<size_t>(layout.numerics[i].source)];
  }
  for (size_t i = 0; i < layout.flags.size(); ++i) {
    request.flags |= (features.flags >> layout.flags[i].source & 1) << i;
  }
  for (size_t i = 0; i < layout.embeddings.size(); ++i) {
    const uint32_t sources[] = {model.language_category(row.language), features.hour, features.day};
    categories_[i] = sources[layout.embeddings[i].source];
  }
  request.tokens = row.tokens;
  request.numerics = {numerics_, layout.numerics.size()};
  request.categories = {categories_, layout.embeddings.size()};
  return request;
}

}  // namespace kinglet
