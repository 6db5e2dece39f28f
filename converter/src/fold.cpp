#include "fold.h"

#include <algorithm>

#include "kinglet/kernels/kernels.h"

namespace kinglet::converter {
namespace {

constexpr float kLeakySlope = 0.01F;

uint64_t round_up(uint64_t value, uint64_t step) {
  return (value + step - 1) / step * step;
}

/// W (scale * a + shift) + b = (W scale) a + (b + W shift).
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

/// b + W mean: the bias of a layer that reads its input less the mean.
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

/// Blocks and steps; what the steps read is left to the caller.
std::unique_ptr<fbs::PlanT> dense_plan(uint64_t hidden, uint64_t block_width) {
  auto plan = std::make_unique<fbs::PlanT>();
  plan->name = "dense";
  plan->bias = "first_layer.bias";
  plan->blocks.push_back(block("l1", 0, hidden));
  plan->blocks.push_back(block("projection", block_width, hidden));
  auto hidden1 = std::make_unique<fbs::StepT>();
  hidden1->name = "hidden1";
  hidden1->input = "l1";
  make_leaky(*hidden1);
  plan->steps.push_back(std::move(hidden1));
  plan->steps.push_back(hidden_step("hidden2", "hidden1", "projection"));
  plan->steps.push_back(hidden_step("hidden3", "hidden2", "projection"));
  plan->steps.push_back(hidden_step("hidden4", "hidden3", "hidden1"));
  plan->steps.push_back(dense_step("logits", "hidden4"));
  plan->output = "logits";
  return plan;
}

bool is_integer(fbs::ElementType type) {
  return type == fbs::ElementType::s8 || type == fbs::ElementType::s16;
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

/// The step's normalisation, less its mean.
void normalise(fbs::StepT& step, const Norm& norm, uint64_t padded, TensorPack& pack) {
  std::vector<double> shift = norm.shift;
  for (size_t i = 0; i < shift.size(); ++i) shift[i] -= norm.mean[i];
  step.scale = step.name + ".scale";
  step.shift = step.name + ".shift";
  pack.add_vector(step.scale, norm.scale, padded);
  pack.add_vector(step.shift, shift, padded);
}

/// A hidden layer that reads normalised values less their mean; `bias` holds the mean's share.
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

}  // namespace

std::unique_ptr<fbs::PlanT> fold_dense_f32(const Network& network, InputLayout& layout,
                                           const FrequentValues& frequent, TensorPack& pack) {
  const FirstLayerTable table(network, layout);
  const uint64_t padded = table.block();
  auto plan = dense_plan(network.hidden(), padded);
  plan->rows = "first_layer.rows";
  const std::vector<double> more = table.frequent_rows(layout, frequent);
  std::vector<float> rows;
  rows.reserve(table.values().size() + more.size());
  for (const std::span<const double> part : {table.values(), std::span<const double>(more)}) {
    for (const double value : part) rows.push_back(to_float(value, plan->rows));
  }
  add_frequent_values(frequent, table.rows(), *layout.layout);
  pack.add_vector(plan->bias, table.bias(), table.stride());
  pack.add_rows(plan->rows, table.rows() + count_of(frequent), table.stride(), std::move(rows));

  pack.add_vector("hidden1.scale", network.norms[0].scale, padded);
  pack.add_vector("hidden1.shift", network.norms[0].shift, padded);
  plan->steps[3]->addends[0]->scale = "hidden1.scale";
  plan->steps[3]->addends[0]->shift = "hidden1.shift";
  add_f32(pack, "hidden2", fold_norm(network.l2, network.norms[0]), kernels::kWidePanel);
  add_f32(pack, "hidden3", fold_norm(network.l3, network.norms[1]), kernels::kWidePanel);
  add_f32(pack, "hidden4", fold_norm(network.l4, network.norms[2]), kernels::kWidePanel);
  add_f32(pack, "logits", fold_norm(network.output, network.norms[3]), kernels::kSlimPanel);
  return plan;
}

std::unique_ptr<fbs::PlanT> fold_dense_narrow(const Network& network, InputLayout& layout,
                                              const FrequentValues& frequent, const NarrowTypes& types,
                                              TensorPack& pack) {
  const FirstLayerTable table(network, layout);
  const uint64_t padded = table.block();
  const uint64_t sketch_rows = uint64_t{layout.layout->sketch->depth} * layout.layout->sketch->width;
  auto plan = dense_plan(network.hidden(), padded);
  pack.add_vector(plan->bias, table.bias(), table.stride());
  plan->rows = "sketch.rows";
  if (is_integer(types.sketch)) plan->rows_scale = "sketch.rows.scale";
  pack.add_rows(plan->rows, types.sketch, table.values().first(sketch_rows * table.stride()), table.stride());
  pack.add_rows("feature.rows", types.features, table.values().subspan(sketch_rows * table.stride()),
                table.stride());
  add_more_rows(*plan, "feature.rows", types.features);
  if (count_of(frequent) != 0) {
    pack.add_rows("frequent.rows", types.features, table.frequent_rows(layout, frequent), table.stride());
    add_more_rows(*plan, "frequent.rows", types.features);
    add_frequent_values(frequent, table.rows(), *layout.layout);
  }

  const Linear* const layers[] = {&network.l2, &network.l3, &network.l4};
  for (size_t k = 0; k < std::size(layers); ++k) {
    fbs::StepT& step = *plan->steps[k + 1];
    normalise(*plan->steps[k], network.norms[k], padded, pack);
    std::vector<double> bias = bias_with_mean(*layers[k], network.norms[k]);
    // The residual reads hidden1 less its mean.
    if (k == 2)
      std::transform(bias.begin(), bias.end(), network.norms[0].mean.begin(), bias.begin(), std::plus<>());
    add_narrow(step, types.hidden, *layers[k], bias, pack);
  }
  add_f32(pack, "logits", fold_norm(network.output, network.norms[3]), kernels::kSlimPanel);
  return plan;
}

}  // namespace kinglet::converter
