#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "kinglet/formats/model_file.h"
#include "kinglet/kernels/kernels.h"

/// A model file's plan with every name resolved: what a session runs. Made once per model; immutable.
namespace kinglet {

/// A vector the plan makes: a block of the first layer's sum, or a step's result.
struct Value {
  uint32_t width = 0;         // outputs that mean something
  uint32_t padded_width = 0;  // floats, a multiple of kernels::kLane; zeros behind width
  uint32_t offset = 0;        // first float within the session's values
};

struct PlanAddend {
  uint32_t value = 0;
  const float* scale = nullptr;
  const float* shift = nullptr;
};

struct PlanStep {
  uint32_t input = 0;  // values
  uint32_t output = 0;
  const float* weights = nullptr;  // null: the epilogue alone
  const float* bias = nullptr;
  uint32_t panel = 0;
  std::vector<PlanAddend> addends;
  bool leaky = false;
  float slope = 0;
  const float* scale = nullptr;
  const float* shift = nullptr;
};

struct Plan {
  const float* rows = nullptr;  // the table of first-layer rows
  uint64_t row_count = 0;
  uint64_t stride = 0;  // floats between rows = width of the first layer's sum
  const float* bias = nullptr;
  std::vector<Value> values;  // the blocks first
  std::vector<PlanStep> steps;
  uint32_t output = 0;        // value of the logits
  uint32_t value_floats = 0;  // all values together, blocks side by side as in a row
};

/// Throws Error where the plan's names, shapes or order make no sense, or a feature's rows lie outside the
/// table.
Plan resolve_plan(const formats::ModelFile& file);

}  // namespace kinglet
