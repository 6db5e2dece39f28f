#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "kinglet/feature_set.h"

namespace kinglet::cli {

/// Adds --NAME and --no-NAME; `value` stays empty where neither is given (CLI11 sets optional flags always).
void add_switch(CLI::App& verb, const std::string& name, std::optional<bool>& value, const std::string& help);

/// The options that name a FeatureSet; what is not given keeps the value it had.
struct FeatureSetArguments {
  std::optional<bool> shown;
  std::optional<bool> fine_ages;
  std::optional<std::string> encoding;
  std::optional<std::string> sketch_norm;

  void add_to(CLI::App& verb);
  void apply(FeatureSet& set) const;
};

}  // namespace kinglet::cli
