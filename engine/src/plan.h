#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "kinglet/formats/model_file.h"
#include "kinglet/kernels/kernels.h"

/// A model file's plan with every name resolved: what a session runs. Made once per model; immutable.
namespace kinglet {

/// A vector the plan makes: a block of the first layer's sum, or a step's result.
struct Value {
  std::string_view name;      // a view into the file
  uint32_t width = 0;         // outputs that mean something
  uint32_t padded_width = 0;  // floats, a multiple of kernels::kLane; zeros behind width
  uint32_t offset = 0;        // first float within the session's values
};

/// Of one step.
inline constexpr size_t kMaximumAddends = 8;

struct PlanAddend {
  uint32_t value = 0;
  const float* scale = nullptr;
  const float* shift = nullptr;
};

/// A table of first-layer rows. Rows of all tables are numbered through, in the file's header; the engine's
/// terms count from a table's first.
struct RowTable {
  const void* rows = nullptr;
  fbs::ElementType type = fbs::ElementType::f32;  // f32, bf16, f16, s16, s8 or s4
  const float* scale = nullptr;                   // of integers: what one unit stands for, an output each
  uint64_t first_row = 0;
  uint64_t count = 0;
  uint32_t columns = 0;  // elements of a row
  uint32_t bundle = 0;   // s8 rows that are added together (fbs::Packing::bundles); 0: each by itself
  uint32_t narrow = 0;   // elements of s8 rows that have fewer bits, the first ones (fbs::Packing)
  uint32_t narrow_bits = 4;

  uint64_t narrow_bytes() const noexcept { return uint64_t{narrow} * narrow_bits / 8; }
  /// Bytes from a row to the next.
  uint64_t row_bytes() const noexcept { return formats::bytes_of(type, columns) - narrow + narrow_bytes(); }
  /// Whether the first elements are signs, which add_counts leaves to SignSums.
  bool has_signs() const noexcept { return narrow != 0 && narrow_bits == 1; }
};

/// The largest flip of a layer, in whole units, where columns are 8-bit integers: 10 bits.
inline constexpr uint32_t kFlipUnits = 1023;

/// Weights of a dense layer as the kernels read them.
struct DenseWeights {
  const void* data = nullptr;
  fbs::ElementType type = fbs::ElementType::f32;  // f32, bf16, f16 or s8
  uint32_t panel = 0;
  const float* scale = nullptr;   // of s8: what one unit stands for, an output each
  const int32_t* sums = nullptr;  // of s8
};

/// A step with columns that has too many to add (fbs::DenseWay).
struct DenseWay {
  uint32_t limit = 0;  // columns that are added, at most
  DenseWeights weights;
  uint32_t outputs = 0;                   // padded width of the next block
  const float* flip_scale = nullptr;      // null: there is no dense way
  const float* carried_scale = nullptr;   // or null
  const float* residual_scale = nullptr;  // or null
  uint32_t residual_target = 0;           // first float of the block that it is for
  bool carries = false;                   // its change goes on to blocks behind the next
};

/// What a step does with its input before the epilogue.
enum class StepKind : uint8_t { activate, dense, flip };

struct PlanStep {
  StepKind kind = StepKind::activate;
  uint32_t input = 0;  // values
  uint32_t output = 0;
  const void* weights = nullptr;
  fbs::ElementType type = fbs::ElementType::f32;  // of the weights: f32, bf16, f16 or s8
  const float* bias = nullptr;
  uint32_t panel = 0;
  const float* weights_scale = nullptr;  // of s8
  const int32_t* weights_sums = nullptr;
  uint32_t wide_share = 0;            // of s8: one of so many inputs may need more than 8 bits; 0: all
  const float* flip_scale = nullptr;  // flip
  RowTable columns;                   // a row a unit
  uint32_t target = 0;                // first float of the first layer's sum that they are added to
  DenseWay dense_way;
  std::vector<PlanAddend> addends;
  bool leaky = false;
  float slope = 0;
  const float* scale = nullptr;
  const float* shift = nullptr;
};

struct Plan {
  std::vector<RowTable> tables;
  uint64_t stride = 0;  // elements of a row = width of the first layer's sum
  const float* bias = nullptr;
  std::vector<Value> values;  // the blocks first
  std::vector<PlanStep> steps;
  uint32_t output = 0;        // value of the logits
  uint32_t value_floats = 0;  // all values together, blocks side by side as in a row
};

/// Rows of integers that count whole times.
constexpr bool counts_whole(fbs::ElementType type) noexcept {
  return type == fbs::ElementType::s8 || type == fbs::ElementType::s4;
}

/// Whether elements are floats of any size, which need no scale.
constexpr bool is_float(fbs::ElementType type) noexcept {
  return type == fbs::ElementType::f32 || type == fbs::ElementType::bf16 || type == fbs::ElementType::f16;
}

/// Throws Error where the plan's names, shapes or order make no sense.
Plan resolve_plan(const formats::ModelFile& file);

}  // namespace kinglet
