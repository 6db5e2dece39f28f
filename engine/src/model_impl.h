#pragma once

#include <memory>
#include <string_view>

#include <tsl/robin_map.h>

#include "kinglet/formats/model_file.h"
#include "kinglet/kernels/kernels.h"

#include "layout.h"
#include "plan.h"

namespace kinglet {

/// What a Model shares: the mapped file and everything resolved from it. Immutable once made.
struct ModelImpl {
  std::unique_ptr<const formats::HugePageCopy> copy;  // what `file` reads, where the caller wants one
  formats::ModelFile file;
  const kernels::KernelTable* kernels;
  Plan plan;
  Layout layout;
  tsl::robin_map<std::string_view, uint32_t> languages;  // keys are views into the file
  uint32_t unknown_language;
};

}  // namespace kinglet
