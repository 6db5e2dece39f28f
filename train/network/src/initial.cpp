#include "initial.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "kinglet/formats/error.h"

#include "plain_inputs.h"
#include "random.h"
#include "state_dict.h"

namespace kinglet::train {
namespace {

using converter::Tensor;
using converter::TensorMap;

std::span<float> elements(Tensor& tensor) {
  return {reinterpret_cast<float*>(tensor.bytes.data()), tensor.elements()};
}

/// N(0, 1) with the sign and the remainder of |x| / 2, as the published program truncates.
double truncated_normal(Random& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
  return std::fmod(radius * std::cos(2 * std::numbers::pi * random.uniform()), 2.0);
}

void draw_uniform(double bound, Random& random, Tensor& tensor) {
  for (float& value : elements(tensor)) value = static_cast<float>((2 * random.uniform() - 1) * bound);
}

bool is_embedding(const std::string& name) {
  return name == "language.weight" || name == "hour.weight" || name == "day.weight";
}

void draw(const std::string& name, const TensorMap& tensors, Random& random, Tensor& tensor) {
  constexpr double kEmbeddingScale = 0.01;
  if (is_embedding(name)) {
    for (float& value : elements(tensor))
      value = static_cast<float>(truncated_normal(random) * kEmbeddingScale);
  } else if (name.starts_with("bn")) {
    for (float& value : elements(tensor)) value = name.ends_with(".weight") ? 1.0F : 0.0F;
  } else {
    const uint64_t fan_in = tensors.at(name.substr(0, name.find('.')) + ".weight").shape[1];
    draw_uniform(1 / std::sqrt(static_cast<double>(fan_in)), random, tensor);
  }
}

void load(const TensorMap& tensors, const std::string& file, Network& network) {
  from_state_dict(tensors, file, network.layout(),
                  {network.parameters().data(), network.parameters().size()});
}

/// Log-odds, for rates of 0 and 1 too: as if one row more had been positive and one negative among 10^4.
double log_odds(double rate) {
  constexpr double kLeast = 1e-4;
  const double inside = std::clamp(rate, kLeast, 1 - kLeast);
  return std::log(inside / (1 - inside));
}

}  // namespace

void draw_initial(const Settings& settings, const std::array<double, 4>& rates, Network& network) {
  TensorMap tensors =
      to_state_dict(network.layout(), {network.parameters().data(), network.parameters().size()});
  uint64_t stream = 0;
  for (auto& [name, tensor] : tensors) {
    Random random(settings.seed, ++stream);
    draw(name, tensors, random, tensor);
  }
  for (float& value : elements(tensors.at("l_output.weight"))) {
    value = static_cast<float>(static_cast<double>(value) * settings.output_scale);
  }
  if (settings.base_rate_bias) {
    const std::span<float> biases = elements(tensors.at("l_output.bias"));
    for (size_t t = 0; t < biases.size(); ++t) biases[t] = static_cast<float>(log_odds(rates[t]));
  }
  load(tensors, "initial weights", network);
}

void take_initial(const TensorMap& tensors, const std::string& file, size_t known, Network& network) {
  TensorMap taken = tensors;
  const auto found = taken.find("language.weight");
  if (found == taken.end()) throw Error(file, "tensor language.weight", "missing");
  Tensor& table = found->second;
  const uint64_t rows = known + 1;
  if (table.shape != std::vector<uint64_t>{rows, kEmbedding}) {
    throw Error(
        file, "tensor language.weight",
        "expected " + std::to_string(rows) + " rows of 20: the languages beside it and one for all others");
  }
  const std::vector<float> old = table.to_f32();
  table.type = converter::ElementType::f32;
  table.shape[0] = network.layout().shape().languages;
  table.bytes.resize(table.elements() * sizeof(float));
  for (size_t row = 0; row < table.shape[0]; ++row) {
    std::memcpy(table.bytes.data() + row * kEmbedding * sizeof(float),
                old.data() + std::min<size_t>(row, known) * kEmbedding, kEmbedding * sizeof(float));
  }
  load(taken, file, network);
  read_statistics(taken, file, network.layout(), network.statistics());
}

void switch_off(const Settings& settings, Network& network) {
  const ParameterLayout& layout = network.layout();
  const NetworkShape& shape = layout.shape();
  const PlainInputs plain(settings.feature_set, settings.features);
  float* parameters = network.parameters().data();
  if (!settings.features.text) {
    std::fill_n(parameters + layout.offset(Slot::sketch), layout.size(Slot::sketch), 0.0F);
  }
  // An embedding of zeros read by weights of zeros gives neither a gradient.
  constexpr std::array<Slot, 3> kTables{Slot::language, Slot::hour, Slot::day};
  for (size_t t = 0; t < kTables.size(); ++t) {
    if (!embedding_is_on(settings.features, t)) {
      std::fill_n(parameters + layout.offset(kTables[t]), layout.size(kTables[t]), 0.0F);
    }
  }
  for (size_t i = 0; i < shape.dense(); ++i) {
    const bool on =
        i < shape.plain ? plain.is_on(i) : embedding_is_on(settings.features, (i - shape.plain) / kEmbedding);
    for (size_t column = 0; !on && column < layout.columns(); ++column) {
      parameters[layout.dense_at(i, column)] = 0;
    }
  }
}

}  // namespace kinglet::train
