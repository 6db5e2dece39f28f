#include "first_layer_table.h"

#include <algorithm>

#include "kinglet/features/encoding.h"
#include "kinglet/kernels/kernels.h"

#include "plan_parts.h"

namespace kinglet::converter {
namespace {

/// The encodings of the layout as the engine computes them.
features::Encoding encoding_of(const fbs::FeatureLayoutT& layout, const fbs::NumericT& numeric) {
  const fbs::EncodingT& source = *layout.encodings[numeric.encoding];
  features::Encoding encoding{features::EncodingKind::log_steps, source.scales};
  if (source.kind == fbs::EncodingKind::fourier) {
    encoding.kind = features::EncodingKind::fourier;
    for (double& parameter : encoding.parameters) parameter = 1 / parameter;
  }
  return encoding;
}

std::vector<float> encoded(const features::Encoding& encoding, double value) {
  std::vector<float> result(encoding.values());
  encoding.encode(value, result.data());
  return result;
}

}  // namespace

FirstLayerTable::FirstLayerTable(const Network& network, const InputLayout& layout)
    : block_(round_up(network.hidden(), kernels::kWidePanel)),
      stride_(round_up(2 * block_, kernels::kByteLane)),
      values_(layout.rows * stride_),
      bias_(stride_) {
  fill_block(network.l1, network, layout, 0);
  fill_block(network.projection, network, layout, block_);
  std::copy(network.l1.bias.begin(), network.l1.bias.end(), bias_.begin());
  std::copy(network.projection.bias.begin(), network.projection.bias.end(),
            bias_.begin() + static_cast<std::ptrdiff_t>(block_));
  for (const auto& numeric : layout.layout->numerics) {
    const std::vector<float> at_zero = encoded(encoding_of(*layout.layout, *numeric), 0);
    for (size_t k = 0; k < at_zero.size(); ++k) add_row(numeric->first_row + k, at_zero[k], bias_.data());
  }
}

void FirstLayerTable::fill_block(const Linear& linear, const Network& network, const InputLayout& layout,
                                 uint64_t column) {
  for (uint64_t o = 0; o < linear.outputs; ++o) {
    const double* weight = linear.weight.data() + o * linear.inputs;
    for (uint64_t i = 0; i < layout.plain_inputs; ++i) values_[i * stride_ + column + o] = weight[i];
  }
  uint64_t input = layout.plain_inputs;
  uint64_t row = layout.plain_inputs;
  for (const EmbeddingTable* table : {&network.language, &network.hour, &network.day}) {
    fill_embedding(linear, *table, input, row, column);
    input += table->dimensions;
    row += table->categories;
  }
}

void FirstLayerTable::fill_embedding(const Linear& linear, const EmbeddingTable& table, uint64_t input,
                                     uint64_t row, uint64_t column) {
  for (uint64_t c = 0; c < table.categories; ++c) {
    for (uint64_t o = 0; o < linear.outputs; ++o) {
      double sum = 0;
      for (uint64_t e = 0; e < table.dimensions; ++e) {
        sum += table.weight[c * table.dimensions + e] * linear.weight[o * linear.inputs + input + e];
      }
      values_[(row + c) * stride_ + column + o] = sum;
    }
  }
}

void FirstLayerTable::add_row(uint64_t row, double weight, double* sum) const {
  if (weight == 0) return;
  const double* values = values_.data() + row * stride_;
  for (uint64_t o = 0; o < stride_; ++o) sum[o] += weight * values[o];
}

std::vector<double> FirstLayerTable::frequent_rows(const InputLayout& layout,
                                                   const FrequentValues& frequent) const {
  uint64_t count = 0;
  for (const std::vector<double>& values : frequent) count += values.size();
  std::vector<double> rows(count * stride_);
  double* row = rows.data();
  for (size_t i = 0; i < frequent.size(); ++i) {
    const fbs::NumericT& numeric = *layout.layout->numerics[i];
    const features::Encoding encoding = encoding_of(*layout.layout, numeric);
    const std::vector<float> at_zero = encoded(encoding, 0);
    for (const double value : frequent[i]) {
      const std::vector<float> at_value = encoded(encoding, value);
      for (size_t k = 0; k < at_value.size(); ++k) {
        add_row(numeric.first_row + k, double{at_value[k]} - double{at_zero[k]}, row);
      }
      row += stride_;
    }
  }
  return rows;
}

std::vector<double> FirstLayerTable::sums(const std::vector<std::vector<uint32_t>>& groups) const {
  std::vector<double> result(groups.size() * stride_);
  for (size_t g = 0; g < groups.size(); ++g) {
    for (const uint32_t row : groups[g]) add_row(row, 1, result.data() + g * stride_);
  }
  return result;
}

void add_frequent_values(const FrequentValues& frequent, uint64_t first_row, fbs::FeatureLayoutT& layout) {
  for (size_t i = 0; i < frequent.size(); ++i) {
    if (frequent[i].empty()) continue;
    layout.numerics[i]->table_values = frequent[i];
    layout.numerics[i]->table_first_row = first_row;
    first_row += frequent[i].size();
  }
}

}  // namespace kinglet::converter
