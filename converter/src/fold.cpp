#include "fold.h"

#include "kinglet/kernels/kernels.h"

namespace kinglet::converter {
namespace {

std::unique_ptr<fbs::PlanT> dense_plan(uint64_t hidden, uint64_t block_width) {
  auto plan = std::make_unique<fbs::PlanT>();
  plan->name = "dense";
  plan->blocks.push_back(block(block_name(0), 0, hidden));
  plan->blocks.push_back(block("projection", block_width, hidden));
  return plan;
}

/// What they read is left to the caller.
void add_f32_steps(fbs::PlanT& plan) {
  auto hidden1 = std::make_unique<fbs::StepT>();
  hidden1->name = "hidden1";
  hidden1->input = "l1";
  make_leaky(*hidden1);
  plan.steps.push_back(std::move(hidden1));
  plan.steps.push_back(hidden_step("hidden2", "hidden1", "projection"));
  plan.steps.push_back(hidden_step("hidden3", "hidden2", "projection"));
  plan.steps.push_back(hidden_step("hidden4", "hidden3", "hidden1"));
  plan.steps.push_back(dense_step("logits", "hidden4"));
  plan.output = "logits";
}

}  // namespace

std::unique_ptr<fbs::PlanT> fold_dense_f32(const Network& network, InputLayout& layout,
                                           const Frequent& frequent, TensorPack& pack) {
  const FirstLayerTable table(network, layout);
  const uint64_t padded = table.block();
  auto plan = dense_plan(network.hidden(), padded);
  add_f32_steps(*plan);
  plan->bias = "first_layer.bias";
  plan->rows = "first_layer.rows";
  std::vector<double> rows(table.values().begin(), table.values().end());
  const std::vector<double> more = table.frequent_rows(layout, frequent.values);
  rows.insert(rows.end(), more.begin(), more.end());
  add_frequent_values(frequent.values, table.rows(), *layout.layout);
  pack.add_vector(plan->bias, table.bias(), table.stride());
  pack.add_rows(plan->rows, fbs::ElementType::f32, rows, table.stride());
  add_token_rows(table, frequent, table.rows() + count_of(frequent.values), fbs::ElementType::f32, 0,
                 *layout.layout, *plan, pack);

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
                                              const Frequent& frequent, const SketchTokens& tokens,
                                              const NarrowTypes& types, TensorPack& pack) {
  const FirstLayerTable table(network, layout);
  auto plan = dense_plan(network.hidden(), table.block());
  add_first_layer(table, layout, frequent, tokens, types, 0, *plan, pack);
  add_dense_layers(network, 0, types, *plan, pack);
  return plan;
}

}  // namespace kinglet::converter
