#include "plan.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "kinglet/formats/error.h"
#include "kinglet/request.h"

namespace kinglet {
namespace {

using formats::ModelFile;
using formats::TensorView;

uint32_t round_up(uint64_t value, uint64_t step) {
  return static_cast<uint32_t>((value + step - 1) / step * step);
}

/// Resolves one file's plan; lives only while it does.
class Resolver {
 public:
  explicit Resolver(const ModelFile& file) : file_(file), source_(*file.header().plan()) {}

  Plan run() {
    resolve_first_layer();
    for (const fbs::Step* step : *source_.steps()) resolve_step(*step);
    check_carried();
    resolve_output();
    return std::move(plan_);
  }

 private:
  [[noreturn]] void fail(const std::string& place, const std::string& message) const {
    throw Error(file_.path(), "plan " + source_.name()->str() + ", " + place, message);
  }

  uint32_t value_named(std::string_view name, const std::string& place) const {
    const auto found = names_.find(name);
    if (found == names_.end()) fail(place, "there is no value named '" + std::string(name) + "' before it");
    return found->second;
  }

  uint32_t add_value(std::string_view name, uint64_t width, uint64_t padded_width, uint64_t offset,
                     const std::string& place) {
    if (!names_.emplace(name, static_cast<uint32_t>(plan_.values.size())).second)
      fail(place, "the name stands twice");
    plan_.values.push_back({name, static_cast<uint32_t>(width), static_cast<uint32_t>(padded_width),
                            static_cast<uint32_t>(offset)});
    return static_cast<uint32_t>(plan_.values.size() - 1);
  }

  /// A vector of at least `width` floats as the kernels read it: one dimension, padded to whole lanes.
  const float* vector(const flatbuffers::String* name, uint64_t width, uint64_t padded_width,
                      const std::string& place) const {
    const TensorView& tensor = file_.tensor(name->string_view(), place);
    if (tensor.info->type() != fbs::ElementType::f32 || tensor.info->packing() != fbs::Packing::rows ||
        tensor.rank() != 1 || tensor.dimension(0) != width || tensor.info->padded_columns() != padded_width) {
      fail(place, "tensor " + name->str() + ": expected " + std::to_string(width) + " floats padded to " +
                      std::to_string(padded_width));
    }
    return tensor.f32();
  }

  void add_table(const flatbuffers::String& rows_name, const flatbuffers::String* scale_name) {
    const std::string place = "rows " + rows_name.str();
    const TensorView& rows = file_.tensor(rows_name.string_view(), "plan");
    const fbs::ElementType type = rows.info->type();
    const fbs::Packing packing = rows.info->packing();
    const bool integers = counts_whole(type) || type == fbs::ElementType::s16;
    const size_t lane = counts_whole(type) ? kernels::kByteLane : kernels::kLane;
    const bool bundles = packing == fbs::Packing::bundles && type == fbs::ElementType::s8;
    const bool split = packing == fbs::Packing::split;
    if ((!is_float(type) && !integers) || (packing != fbs::Packing::rows && !bundles && !split) ||
        rows.rank() != 2 || rows.info->padded_columns() % lane != 0) {
      fail(place, "expected a table of rows, padded to whole lanes of " + std::to_string(lane));
    }
    const uint64_t stride = rows.info->padded_columns();
    if (stride > kMaximumWidth || rows.dimension(1) != stride ||
        (!plan_.tables.empty() && stride != plan_.stride)) {
      fail(place, "implausible width");
    }
    plan_.stride = stride;
    if (integers != (scale_name != nullptr)) fail(place, "rows of integers have a scale, others none");
    const uint64_t first =
        plan_.tables.empty() ? 0 : plan_.tables.back().first_row + plan_.tables.back().count;
    const uint64_t count = rows.dimension(0);
    if (count > std::numeric_limits<uint32_t>::max() - first) fail(place, "too many rows");
    const uint32_t panel = rows.info->panel();
    plan_.tables.push_back({rows.bytes.data(), type,
                            integers ? vector(scale_name, stride, stride, place) : nullptr, first, count,
                            static_cast<uint32_t>(stride), bundles ? panel : 0, rows.info->narrow(),
                            rows.info->narrow_bits()});
  }

  void resolve_first_layer() {
    add_table(*source_.rows(), source_.rows_scale());
    if (source_.more_rows() != nullptr) {
      for (const fbs::MoreRows* more : *source_.more_rows()) add_table(*more->rows(), more->scale());
    }
    plan_.bias = vector(source_.bias(), plan_.stride, plan_.stride, "bias");
    uint64_t end = 0;
    for (const fbs::Block* block : *source_.blocks()) {
      const std::string place = "block " + block->name()->str();
      const uint32_t padded = round_up(block->width(), kernels::kWidePanel);
      const uint64_t offset = block->offset();
      if (block->width() == 0 || block->width() > kMaximumWidth || offset < end ||
          offset - end >= kernels::kByteLane || offset % kernels::kWidePanel != 0 ||
          offset + padded > plan_.stride) {
        fail(place, "expected blocks side by side within the rows' width");
      }
      add_value(block->name()->string_view(), block->width(), padded, offset, place);
      end = offset + padded;
    }
    block_count_ = plan_.values.size();
    if (end != plan_.stride && round_up(end, kernels::kByteLane) != plan_.stride)
      fail("blocks", "expected them to fill the rows' width");
    plan_.value_floats = static_cast<uint32_t>(plan_.stride);
  }

  void resolve_step(const fbs::Step& source) {
    const std::string place = "step " + source.name()->str();
    PlanStep step;
    step.input = value_named(source.input()->string_view(), place);
    uint64_t width = plan_.values[step.input].width;
    uint64_t padded = plan_.values[step.input].padded_width;
    if (source.weights() != nullptr) {
      const TensorView& weights = file_.tensor(source.weights()->string_view(), place);
      check_weights(weights, plan_.values[step.input].width, place);
      step.kind = StepKind::dense;
      step.type = weights.info->type();
      step.weights = weights.bytes.data();
      step.panel = weights.info->panel();
      width = weights.dimension(0);
      padded = round_up(width, step.panel);
      if (source.bias() == nullptr) fail(place, "weights without a bias");
      step.bias = vector(source.bias(), width, padded, place);
    } else if (source.bias() != nullptr) {
      fail(place, "a bias without weights");
    }
    resolve_quantisation(source.weights_scale(), source.weights_sums(), step.type, width, padded, place,
                         step.weights_scale, step.weights_sums);
    step.wide_share = source.wide_share();
    if (step.wide_share != 0 && step.type != fbs::ElementType::s8)
      fail(place, "a share of wide inputs belongs to 8-bit weights");
    resolve_flips(source, place, step);
    resolve_epilogue(source, width, padded, place, step);
    step.output = add_value(source.name()->string_view(), width, padded, plan_.value_floats, place);
    plan_.value_floats += static_cast<uint32_t>(padded);
    if (plan_.value_floats > kMaximumValues) fail(place, "the plan's values are implausibly large");
    plan_.steps.push_back(std::move(step));
  }

  void check_weights(const TensorView& weights, uint32_t inputs, const std::string& place) const {
    const uint32_t panel = weights.info->panel();
    const bool floats = is_float(weights.info->type()) && weights.info->packing() == fbs::Packing::panels &&
                        (panel == kernels::kWidePanel || panel == kernels::kSlimPanel);
    const bool bytes = weights.info->type() == fbs::ElementType::s8 &&
                       weights.info->packing() == fbs::Packing::quads && panel == kernels::kWidePanel;
    if (!floats && !bytes) {
      fail(place, "expected float weights in panels of " + std::to_string(kernels::kWidePanel) + " or " +
                      std::to_string(kernels::kSlimPanel) + ", or 8-bit weights in quads");
    }
    if (weights.dimension(1) != inputs || weights.dimension(0) > kMaximumWidth) {
      fail(place, "weights for " + std::to_string(weights.dimension(1)) + " inputs, but its input has " +
                      std::to_string(inputs));
    }
    if (bytes && inputs > kMaximumQuantised) fail(place, "too many inputs for 8-bit weights");
  }

  void resolve_quantisation(const flatbuffers::String* scale, const flatbuffers::String* sums,
                            fbs::ElementType type, uint64_t width, uint64_t padded, const std::string& place,
                            const float*& scale_floats, const int32_t*& sum_numbers) const {
    const bool bytes = type == fbs::ElementType::s8;
    if ((scale != nullptr) != bytes || (sums != nullptr) != bytes) {
      fail(place, "8-bit weights have a scale and sums, others none");
    }
    if (!bytes) return;
    scale_floats = vector(scale, width, padded, place);
    const TensorView& tensor = file_.tensor(sums->string_view(), place);
    if (tensor.info->type() != fbs::ElementType::s32 || tensor.info->packing() != fbs::Packing::rows ||
        tensor.rank() != 1 || tensor.dimension(0) != width || tensor.info->padded_columns() != padded) {
      fail(place, "expected one 32-bit sum of weights an output");
    }
    sum_numbers = tensor.s32();
  }

  void resolve_flips(const fbs::Step& source, const std::string& place, PlanStep& step) const {
    if ((source.columns() != nullptr) != (source.flip_scale() != nullptr))
      fail(place, "columns and flip_scale go together");
    if (source.columns() == nullptr) {
      if (source.dense_way() != nullptr) fail(place, "a dense way belongs to columns");
      return;
    }
    if (step.kind != StepKind::activate || step.input >= block_count_)
      fail(place, "columns belong to a block, without weights");
    const Value& input = plan_.values[step.input];
    if (source.addends() != nullptr || source.activation() != fbs::Activation::none ||
        source.scale() != nullptr)
      fail(place, "columns go without addends, activation and scale");
    step.kind = StepKind::flip;
    step.flip_scale = vector(source.flip_scale(), input.width, input.padded_width, place);
    // Flips are looked for in whole vectors: one behind the last unit would be a column that is not there.
    for (uint32_t i = input.width; i < input.padded_width; ++i) {
      if (step.flip_scale[i] != 0) fail(place, "expected zeros behind the last unit of flip_scale");
    }
    const TensorView& columns = file_.tensor(source.columns()->string_view(), place);
    const fbs::ElementType type = columns.info->type();
    const bool integers = type == fbs::ElementType::s8 || type == fbs::ElementType::s16;
    const size_t lane = type == fbs::ElementType::s8 ? kernels::kByteLane : kernels::kLane;
    if ((!is_float(type) && !integers) || columns.info->packing() != fbs::Packing::rows ||
        columns.rank() != 2 || columns.dimension(0) != input.width ||
        columns.dimension(1) != columns.info->padded_columns() || columns.dimension(1) % lane != 0) {
      fail(place, "expected a row of columns a unit, padded to whole lanes of " + std::to_string(lane));
    }
    // The next block begins at the next whole lane.
    step.target = round_up(input.offset + input.padded_width, kernels::kByteLane);
    if (columns.dimension(1) > plan_.stride || step.target > plan_.stride - columns.dimension(1))
      fail(place, "its columns reach beyond the rows' width");
    const auto width = static_cast<uint32_t>(columns.dimension(1));
    if (type == fbs::ElementType::s8 && input.width * uint64_t{kFlipUnits} > kernels::kMaximumCounts)
      fail(place, "too many units for 8-bit columns");
    if (integers != (source.columns_scale() != nullptr))
      fail(place, "columns of integers have a scale, others none");
    const float* scale = integers ? vector(source.columns_scale(), width, width, place) : nullptr;
    step.columns = {columns.bytes.data(), type, scale, 0, input.width, width};
    if (source.dense_way() != nullptr) resolve_dense_way(*source.dense_way(), place, step);
  }

  void resolve_dense_way(const fbs::DenseWay& source, const std::string& place, PlanStep& step) const {
    const Value& input = plan_.values[step.input];
    const auto unit_vector = [&](const flatbuffers::String* name) {
      return name != nullptr ? vector(name, input.width, input.padded_width, place) : nullptr;
    };
    const auto blocks = std::span(plan_.values).first(block_count_);
    const uint32_t columns_end = step.target + step.columns.columns;
    const auto next = std::find_if(blocks.begin(), blocks.end(),
                                   [&](const Value& block) { return block.offset == step.target; });
    const auto last = std::find_if(blocks.rbegin(), blocks.rend(), [&](const Value& block) {
      return block.offset >= step.target && block.offset + block.padded_width <= columns_end;
    });
    if (next == blocks.end() || last == blocks.rend())
      fail(place, "a dense way, but its columns reach no whole block");
    DenseWay way;
    way.limit = source.limit();
    if (way.limit >= input.width) fail(place, "a dense way that no request can take");
    const TensorView& weights = file_.tensor(source.weights()->string_view(), place);
    check_weights(weights, input.width, place);
    way.weights = {weights.bytes.data(), weights.info->type(), weights.info->panel(), nullptr, nullptr};
    way.outputs = next->padded_width;
    if (weights.dimension(0) != next->width || round_up(next->width, way.weights.panel) != way.outputs)
      fail(place, "a dense way to another width than the next block's");
    resolve_quantisation(source.weights_scale(), source.weights_sums(), way.weights.type, next->width,
                         way.outputs, place, way.weights.scale, way.weights.sums);
    way.flip_scale = unit_vector(source.flip_scale());
    way.carried_scale = unit_vector(source.carried_scale());
    way.residual_scale = unit_vector(source.residual_scale());
    way.residual_target = last->offset;
    if (way.residual_scale != nullptr && last->width != input.width)
      fail(place, "a residual for a block of another width");
    way.carries = next->offset != last->offset;
    step.dense_way = way;
  }

  /// A change that a dense way leaves to blocks behind the next one is carried by the step with columns that
  /// follows, to the same end.
  void check_carried() const {
    const PlanStep* carrying = nullptr;
    for (const PlanStep& step : plan_.steps) {
      if (step.kind != StepKind::flip) continue;
      if (carrying != nullptr &&
          (plan_.values[step.input].offset != carrying->target || step.dense_way.carried_scale == nullptr ||
           step.target + step.columns.columns != carrying->target + carrying->columns.columns)) {
        fail("dense ways", "a change is not carried on by the step with columns that follows");
      }
      carrying = step.dense_way.carries ? &step : nullptr;
    }
    if (carrying != nullptr) fail("dense ways", "a change is carried on by no step");
  }

  void resolve_epilogue(const fbs::Step& source, uint64_t width, uint64_t padded, const std::string& place,
                        PlanStep& step) const {
    if (source.addends() != nullptr) {
      if (source.addends()->size() > kMaximumAddends) fail(place, "too many addends");
      for (const fbs::Addend* addend : *source.addends()) {
        PlanAddend resolved;
        resolved.value = value_named(addend->value()->string_view(), place);
        const Value& value = plan_.values[resolved.value];
        if (value.width != width || value.padded_width < padded) fail(place, "an addend of another width");
        resolve_affine(addend->scale(), addend->shift(), width, padded, place, resolved.scale,
                       resolved.shift);
        step.addends.push_back(resolved);
      }
    }
    if (source.activation() != fbs::Activation::none && source.activation() != fbs::Activation::leaky_relu) {
      fail(place, "unknown activation");
    }
    step.leaky = source.activation() == fbs::Activation::leaky_relu;
    step.slope = source.slope();
    if (!std::isfinite(step.slope)) fail(place, "a slope that is not finite");
    resolve_affine(source.scale(), source.shift(), width, padded, place, step.scale, step.shift);
  }

  void resolve_affine(const flatbuffers::String* scale_name, const flatbuffers::String* shift_name,
                      uint64_t width, uint64_t padded, const std::string& place, const float*& scale,
                      const float*& shift) const {
    if ((scale_name == nullptr) != (shift_name == nullptr)) fail(place, "scale and shift go together");
    if (scale_name == nullptr) return;
    scale = vector(scale_name, width, padded, place);
    shift = vector(shift_name, width, padded, place);
  }

  void resolve_output() {
    plan_.output = value_named(source_.output()->string_view(), "output");
    if (plan_.values[plan_.output].width != kTargets) fail("output", "expected one logit a target");
  }

  static constexpr uint64_t kMaximumWidth = uint64_t{1} << 20;
  static constexpr uint64_t kMaximumQuantised = uint64_t{1} << 16;  // leaves 8 bits an activation
  static constexpr uint64_t kMaximumValues = uint64_t{1} << 24;

  const ModelFile& file_;
  const fbs::Plan& source_;
  size_t block_count_ = 0;
  Plan plan_;
  std::map<std::string_view, uint32_t> names_;
};

}  // namespace

Plan resolve_plan(const ModelFile& file) {
  return Resolver(file).run();
}

}  // namespace kinglet
