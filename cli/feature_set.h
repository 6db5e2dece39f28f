#pragma once

#include <optional>
#include <string>

#include "kinglet/feature_set.h"

#include "arguments.h"

namespace kinglet::cli {

/// The options that name a FeatureSet; what is not given keeps the value it had.
struct FeatureSetArguments {
  std::optional<bool> shown;
  std::optional<bool> fine_ages;
  std::optional<std::string> encoding;
  std::optional<std::string> sketch_norm;

  void add_to(Verb verb);
  void apply(FeatureSet& set) const;
};

}  // namespace kinglet::cli
