#pragma once

#include <cstddef>
#include <cstdint>

#include "kinglet/features/row_features.h"
#include "kinglet/formats/row.h"
#include "kinglet/model.h"
#include "kinglet/request.h"

#include "arena.h"
#include "layout.h"

namespace kinglet {

/// A row's features in the order of a layout, where every feature of it has a source. Scratch for one
/// session.
class RowRequest {
 public:
  void book(const Layout& layout, Arena& arena);
  void take(const Arena& arena) noexcept;

  /// Its spans point into the row and into this: valid until the next call.
  Request fill(const Model& model, const Layout& layout, const Row& row,
               const features::RowFeatures& features) noexcept;

 private:
  size_t numerics_offset_ = 0;
  size_t categories_offset_ = 0;
  double* numerics_ = nullptr;
  uint32_t* categories_ = nullptr;
};

}  // namespace kinglet
