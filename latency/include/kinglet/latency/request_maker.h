#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kinglet/formats/history_file.h"
#include "kinglet/formats/row.h"
#include "kinglet/model.h"
#include "kinglet/request.h"

namespace kinglet::latency {

/// What Session::score(row, ...) does before the network, as a step of its own: the request of a row. For
/// models whose every feature a row and its history give; others are refused. Not thread-safe.
class RequestMaker {
 public:
  /// Throws Error naming the model's file and the feature that rows do not give.
  explicit RequestMaker(Model model);

  /// The request's spans are valid until the next call, and while the row's memory is. Allocates nothing.
  Request make(const Row& row, const formats::HistoryFile& history) noexcept;

 private:
  Model model_;
  std::vector<size_t> numeric_sources_;    // into numeric_names(), one a numeric feature
  std::vector<size_t> flag_sources_;       // into flag_names()
  std::vector<size_t> embedding_sources_;  // into kEmbeddingNames
  bool shown_ = false;                     // some numeric feature is one of the last kShownNumerics
  std::vector<double> numerics_;
  std::vector<uint32_t> categories_;
};

}  // namespace kinglet::latency
