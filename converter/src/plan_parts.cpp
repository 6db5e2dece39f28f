#include "plan_parts.h"

#include <algorithm>

#include "kinglet/kernels/kernels.h"

namespace kinglet::converter {

uint64_t round_up(uint64_t value, uint64_t step) {
  return (value + step - 1) / step * step;
}

uint64_t narrow_columns(const NarrowTypes& types, uint64_t hidden, size_t layers) {
  if (types.sketch != fbs::ElementType::s4) return 0;
  const uint64_t group = types.side_bits == 1 ? kernels::kSignGroup : kernels::kNibbleGroup;
  return layers * round_up(hidden, kernels::kByteLane) / group * group;
}

Linear fold_norm(const Linear& linear, const Norm& norm) {
  Linear folded = linear;
  for (uint64_t o = 0; o < linear.outputs; ++o) {
    for (uint64_t i = 0; i < linear.inputs; ++i) {
      const uint64_t at = o * linear.inputs + i;
      folded.bias[o] += linear.weight[at] * norm.shift[i];
      folded.weight[at] *= norm.scale[i];
    }
  }
  return folded;
}

std::vector<double> bias_with_mean(const Linear& linear, const Norm& norm) {
  std::vector<double> bias = linear.bias;
  for (uint64_t o = 0; o < linear.outputs; ++o) {
    for (uint64_t i = 0; i < linear.inputs; ++i)
      bias[o] += linear.weight[o * linear.inputs + i] * norm.mean[i];
  }
  return bias;
}

void add_f32(TensorPack& pack, const std::string& name, const Linear& linear, uint32_t panel) {
  pack.add_panels(name + ".weights", fbs::ElementType::f32, linear.weight, linear.outputs, linear.inputs,
                  panel);
  pack.add_vector(name + ".bias", linear.bias, round_up(linear.outputs, panel));
}

std::unique_ptr<fbs::BlockT> block(const std::string& name, uint64_t offset, uint64_t width) {
  auto result = std::make_unique<fbs::BlockT>();
  result->name = name;
  result->offset = static_cast<uint32_t>(offset);
  result->width = static_cast<uint32_t>(width);
  return result;
}

std::unique_ptr<fbs::StepT> dense_step(const std::string& name, const std::string& input) {
  auto step = std::make_unique<fbs::StepT>();
  step->name = name;
  step->input = input;
  step->weights = name + ".weights";
  step->bias = name + ".bias";
  return step;
}

void make_leaky(fbs::StepT& step) {
  step.activation = fbs::Activation::leaky_relu;
  step.slope = kLeakySlope;
}

std::unique_ptr<fbs::StepT> hidden_step(const std::string& name, const std::string& input,
                                        const std::string& addend) {
  auto step = dense_step(name, input);
  make_leaky(*step);
  step->addends.push_back(std::make_unique<fbs::AddendT>());
  step->addends[0]->value = addend;
  return step;
}

namespace {

std::vector<double> columns_of(std::span<const double> rows, uint64_t stride, uint64_t first, uint64_t end) {
  std::vector<double> columns;
  columns.reserve(rows.size() / stride * (end - first));
  for (uint64_t row = 0; row < rows.size(); row += stride) {
    const auto part = rows.subspan(row + first, end - first);
    columns.insert(columns.end(), part.begin(), part.end());
  }
  return columns;
}

/// The sketch's rows in 4 bits; behind the first `narrow`, if there are such, which have `side_bits`,
/// in 8.
void add_narrow_sketch(const std::string& name, std::span<const double> rows, uint64_t stride,
                       uint64_t narrow, uint32_t side_bits, const SketchTokens& tokens, TensorPack& pack) {
  if (narrow == 0) {
    pack.add_nibble_rows(name, round_sketch_rows(rows, stride, 4, tokens));
    return;
  }
  const std::vector<double> sides = columns_of(rows, stride, 0, narrow);
  pack.add_split_rows(name, round_sketch_rows(sides, narrow, side_bits, tokens), side_bits,
                      columns_of(rows, stride, narrow, stride));
}

}  // namespace

void add_first_layer(const FirstLayerTable& table, InputLayout& layout, const Frequent& frequent,
                     const SketchTokens& tokens, const NarrowTypes& types, uint64_t narrow, fbs::PlanT& plan,
                     TensorPack& pack) {
  // A mean has few rows that are all added, with any weight: they are stored as other features'.
  const bool mean = layout.layout->token_mean != nullptr;
  const fbs::ElementType text = mean ? types.mean : types.sketch;
  const uint64_t text_rows = layout.text_inputs;
  const uint64_t encoded_rows = layout.plain_inputs - text_rows - layout.layout->flags.size();
  const std::span<const double> others = table.values().subspan(text_rows * table.stride());
  const std::span<const double> features = others.subspan(encoded_rows * table.stride());
  std::vector<double> once(features.begin(), features.end());
  const std::vector<double> values = table.frequent_rows(layout, frequent.values);
  once.insert(once.end(), values.begin(), values.end());
  std::vector<double> bias(table.bias().begin(), table.bias().end());
  ByteRows byte_rows;
  const uint64_t others_narrow = types.side_bits == 1 ? narrow : 0;
  if (types.once == fbs::ElementType::s8) {
    byte_rows = round_once_rows(once, table.stride(), others_narrow, frequent.once, tokens.progress);
    for (size_t o = 0; o < bias.size(); ++o) bias[o] += byte_rows.bias[o];
  }
  plan.bias = "first_layer.bias";
  pack.add_vector(plan.bias, bias, table.stride());
  plan.rows = mean ? "mean.rows" : "sketch.rows";
  if (is_integer(text)) plan.rows_scale = plan.rows + ".scale";
  const std::span<const double> rows = table.values().first(text_rows * table.stride());
  if (text == fbs::ElementType::s4) {
    add_narrow_sketch(plan.rows, rows, table.stride(), narrow, types.side_bits, tokens, pack);
  } else {
    pack.add_rows(plan.rows, text, rows, table.stride());
  }
  const std::span<const double> encoded = others.first(encoded_rows * table.stride());
  const uint64_t bundle = encoded_rows / layout.layout->numerics.size();
  if (types.encoded == fbs::ElementType::s8 && bundle % kernels::kQuad == 0) {
    pack.add_bundles("encoded.rows", encoded, table.stride(), others_narrow, bundle);
  } else {
    pack.add_rows("encoded.rows", types.encoded, encoded, table.stride());
  }
  add_more_rows(plan, "encoded.rows", types.encoded);
  if (types.once == fbs::ElementType::s8) {
    pack.add_byte_rows("feature.rows", byte_rows, others_narrow);
  } else {
    pack.add_rows("feature.rows", types.once, once, table.stride());
  }
  add_more_rows(plan, "feature.rows", types.once);
  add_frequent_values(frequent.values, table.rows(), *layout.layout);
  add_token_rows(table, frequent, table.rows() + count_of(frequent.values), types.tokens, others_narrow,
                 *layout.layout, plan, pack);
}

void add_token_rows(const FirstLayerTable& table, const Frequent& frequent, uint64_t first_row,
                    fbs::ElementType type, uint64_t narrow, fbs::FeatureLayoutT& layout, fbs::PlanT& plan,
                    TensorPack& pack) {
  if (frequent.tokens.empty()) return;
  constexpr const char* kRows = "token.rows";
  std::vector<int32_t> numbers(frequent.vocabulary, -1);
  std::vector<std::vector<uint32_t>> groups;
  for (const FrequentToken& token : frequent.tokens) {
    numbers[token.token] = static_cast<int32_t>(groups.size());
    groups.push_back(token.rows);
  }
  const std::vector<double> sums = table.sums(groups);
  if (narrow != 0) {
    pack.add_byte_rows(kRows, round_once_rows(sums, table.stride(), narrow, {}, {}), narrow);
  } else {
    pack.add_rows(kRows, type, sums, table.stride());
  }
  add_more_rows(plan, kRows, type);
  pack.add_numbers("token.numbers", numbers);
  layout.sketch->token_rows = "token.numbers";
  layout.sketch->token_first_row = first_row;
}

bool is_integer(fbs::ElementType type) {
  return type == fbs::ElementType::s4 || type == fbs::ElementType::s8 || type == fbs::ElementType::s16;
}

void add_more_rows(fbs::PlanT& plan, const std::string& name, fbs::ElementType type) {
  plan.more_rows.push_back(std::make_unique<fbs::MoreRowsT>());
  plan.more_rows.back()->rows = name;
  if (is_integer(type)) plan.more_rows.back()->scale = name + ".scale";
}

uint64_t count_of(const FrequentValues& frequent) {
  uint64_t count = 0;
  for (const std::vector<double>& values : frequent) count += values.size();
  return count;
}

void normalise(fbs::StepT& step, const Norm& norm, uint64_t padded, TensorPack& pack) {
  std::vector<double> shift = norm.shift;
  for (size_t i = 0; i < shift.size(); ++i) shift[i] -= norm.mean[i];
  step.scale = step.name + ".scale";
  step.shift = step.name + ".shift";
  pack.add_vector(step.scale, norm.scale, padded);
  pack.add_vector(step.shift, shift, padded);
}

void add_narrow(fbs::StepT& step, fbs::ElementType type, const Linear& linear,
                const std::vector<double>& bias, TensorPack& pack) {
  constexpr uint32_t kPanel = kernels::kWidePanel;
  if (type == fbs::ElementType::s8) {
    pack.add_quads(step.weights, linear.weight, linear.outputs, linear.inputs, kPanel);
    step.weights_scale = step.weights + ".scale";
    step.weights_sums = step.weights + ".sums";
  } else {
    pack.add_panels(step.weights, type, linear.weight, linear.outputs, linear.inputs, kPanel);
  }
  pack.add_vector(step.bias, bias, round_up(linear.outputs, kPanel));
}

std::string block_name(size_t layer) {
  return layer == 0 ? "l1" : "sum" + std::to_string(layer + 1);
}

std::string hidden_name(size_t layer) {
  return "hidden" + std::to_string(layer + 1);
}

namespace {

std::unique_ptr<fbs::StepT> activate_step(size_t layer) {
  auto step = std::make_unique<fbs::StepT>();
  step->name = hidden_name(layer);
  step->input = block_name(layer);
  make_leaky(*step);
  return step;
}

}  // namespace

void add_dense_layers(const Network& network, size_t folded, const NarrowTypes& types, fbs::PlanT& plan,
                      TensorPack& pack) {
  const uint64_t padded = round_up(network.hidden(), kernels::kWidePanel);
  if (folded < kFoldable) {  // read by the residual, if not by the layer behind it
    plan.steps.push_back(activate_step(0));
    normalise(*plan.steps.back(), network.norms[0], padded, pack);
  }
  if (folded > 0) plan.steps.push_back(activate_step(folded));
  for (size_t layer = folded + 1; layer <= kFoldable; ++layer) {
    const bool last = layer == kFoldable;
    if (layer > 1) normalise(*plan.steps.back(), network.norms[layer - 1], padded, pack);
    plan.steps.push_back(
        hidden_step(hidden_name(layer), hidden_name(layer - 1), last ? hidden_name(0) : "projection"));
    std::vector<double> bias = bias_with_mean(network.hidden_layer(layer), network.norms[layer - 1]);
    // The residual reads hidden1 less its mean.
    if (last)
      std::transform(bias.begin(), bias.end(), network.norms[0].mean.begin(), bias.begin(), std::plus<>());
    add_narrow(*plan.steps.back(), types.hidden, network.hidden_layer(layer), bias, pack);
    if (folded > 0 && types.hidden == fbs::ElementType::s8) plan.steps.back()->wide_share = kWideShare;
  }
  plan.steps.push_back(dense_step("logits", hidden_name(kFoldable)));
  plan.output = "logits";
  add_f32(pack, "logits", fold_norm(network.output, network.norms[3]), kernels::kSlimPanel);
}

}  // namespace kinglet::converter
