#include "fold.h"

#include <algorithm>

#include "kinglet/kernels/kernels.h"

namespace kinglet::converter {
namespace {

constexpr float kLeakySlope = 0.01F;

uint64_t round_up(uint64_t value, uint64_t step) {
  return (value + step - 1) / step * step;
}

/// The table of first-layer rows: row r of an input's column of l1, then of projection, each padded to whole
/// panels.
class RowTable {
 public:
  RowTable(const Network& network, const InputLayout& layout)
      : network_(network),
        padded_(round_up(network.hidden(), kernels::kWidePanel)),
        rows_(layout.rows),
        values_(rows_ * stride()) {
    fill_block(network.l1, layout, 0);
    fill_block(network.projection, layout, padded_);
  }

  uint64_t padded() const { return padded_; }
  uint64_t stride() const { return 2 * padded_; }

  void move_into(TensorPack& pack) { pack.add_rows("first_layer.rows", rows_, stride(), std::move(values_)); }

  void add_bias(TensorPack& pack) const {
    std::vector<double> bias(stride());
    std::copy(network_.l1.bias.begin(), network_.l1.bias.end(), bias.begin());
    std::copy(network_.projection.bias.begin(), network_.projection.bias.end(),
              bias.begin() + static_cast<std::ptrdiff_t>(padded_));
    pack.add_vector("first_layer.bias", bias, stride());
  }

 private:
  void fill_block(const Linear& linear, const InputLayout& layout, uint64_t column) {
    for (uint64_t o = 0; o < linear.outputs; ++o) {
      const double* weight = linear.weight.data() + o * linear.inputs;
      for (uint64_t i = 0; i < layout.plain_inputs; ++i) {
        values_[i * stride() + column + o] = to_float(weight[i], "first_layer.rows");
      }
    }
    uint64_t input = layout.plain_inputs;
    uint64_t row = layout.plain_inputs;
    for (const EmbeddingTable* table : {&network_.language, &network_.hour, &network_.day}) {
      fill_embedding(linear, *table, input, row, column);
      input += table->dimensions;
      row += table->categories;
    }
  }

  /// A category's row is its embedding multiplied by the columns that read it.
  void fill_embedding(const Linear& linear, const EmbeddingTable& table, uint64_t input, uint64_t row,
                      uint64_t column) {
    for (uint64_t c = 0; c < table.categories; ++c) {
      for (uint64_t o = 0; o < linear.outputs; ++o) {
        double sum = 0;
        for (uint64_t e = 0; e < table.dimensions; ++e) {
          sum += table.weight[c * table.dimensions + e] * linear.weight[o * linear.inputs + input + e];
        }
        values_[(row + c) * stride() + column + o] = to_float(sum, "first_layer.rows");
      }
    }
  }

  const Network& network_;
  uint64_t padded_;
  uint64_t rows_;
  std::vector<float> values_;
};

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

void add_linear(TensorPack& pack, const std::string& name, const Linear& linear, uint32_t panel) {
  pack.add_panels(name + ".weights", linear.weight, linear.outputs, linear.inputs, panel);
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

}  // namespace

std::unique_ptr<fbs::PlanT> fold_dense_plan(const Network& network, const InputLayout& layout,
                                            TensorPack& pack) {
  RowTable table(network, layout);
  const uint64_t hidden = network.hidden();
  const uint64_t padded = table.padded();
  table.add_bias(pack);
  table.move_into(pack);
  pack.add_vector("hidden1.scale", network.norms[0].scale, padded);
  pack.add_vector("hidden1.shift", network.norms[0].shift, padded);
  add_linear(pack, "hidden2", fold_norm(network.l2, network.norms[0]), kernels::kWidePanel);
  add_linear(pack, "hidden3", fold_norm(network.l3, network.norms[1]), kernels::kWidePanel);
  add_linear(pack, "hidden4", fold_norm(network.l4, network.norms[2]), kernels::kWidePanel);
  add_linear(pack, "logits", fold_norm(network.output, network.norms[3]), kernels::kSlimPanel);

  auto plan = std::make_unique<fbs::PlanT>();
  plan->name = "dense";
  plan->rows = "first_layer.rows";
  plan->bias = "first_layer.bias";
  plan->blocks.push_back(block("l1", 0, hidden));
  plan->blocks.push_back(block("projection", padded, hidden));
  auto hidden1 = std::make_unique<fbs::StepT>();
  hidden1->name = "hidden1";
  hidden1->input = "l1";
  make_leaky(*hidden1);
  plan->steps.push_back(std::move(hidden1));
  plan->steps.push_back(hidden_step("hidden2", "hidden1", "projection"));
  plan->steps.push_back(hidden_step("hidden3", "hidden2", "projection"));
  plan->steps.push_back(hidden_step("hidden4", "hidden3", "hidden1"));
  plan->steps.back()->addends[0]->scale = "hidden1.scale";
  plan->steps.back()->addends[0]->shift = "hidden1.shift";
  plan->steps.push_back(dense_step("logits", "hidden4"));
  plan->output = "logits";
  return plan;
}

}  // namespace kinglet::converter
