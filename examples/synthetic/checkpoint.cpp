#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "synthetic/output.h"
#include "synthetic/synthetic.h"

namespace kinglet::synthetic {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

constexpr size_t kEmbedding = 20;  // values of each category's embedding

/// One tensor of the checkpoint: its name, its shape, and what its elements are drawn from.
struct Parameter {
  std::string name;
  std::vector<size_t> shape;
  std::function<float(Random&, size_t index)> draw;
  bool trained = true;  // running statistics are not

  size_t elements() const {
    size_t product = 1;
    for (const size_t extent : shape) product *= extent;
    return product;
  }
};

/// Draws from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's initial range of a linear layer.
auto uniform_by_fan_in(size_t fan_in) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  return [bound](Random& random, size_t) { return static_cast<float>(random.uniform(-bound, bound)); };
}

/// Draws within a fifth of `value`.
auto around(double value) {
  return [value](Random& random, size_t) { return static_cast<float>(value * random.uniform(0.8, 1.2)); };
}

void add_linear(std::vector<Parameter>& all, std::string_view name, size_t outputs, size_t inputs) {
  all.push_back({fmt::format("{}.weight", name), {outputs, inputs}, uniform_by_fan_in(inputs)});
  all.push_back({fmt::format("{}.bias", name), {outputs}, uniform_by_fan_in(inputs)});
}

/// `deviation` is that of the layer's sum before leaky. For z from N(0, s^2), leaky(z) has mean near s /
/// sqrt(2 pi) and variance near (1/2 - 1/(2 pi)) s^2: what the running statistics of such a layer settle at.
void add_normalisation(std::vector<Parameter>& all, std::string_view name, size_t hidden, double deviation) {
  all.push_back({fmt::format("{}.weight", name), {hidden}, around(1)});
  all.push_back({fmt::format("{}.bias", name), {hidden}, uniform_by_fan_in(hidden)});
  all.push_back({fmt::format("{}.running_mean", name), {hidden}, around(0.395 * deviation), false});
  all.push_back(
      {fmt::format("{}.running_var", name), {hidden}, around(0.341 * deviation * deviation), false});
}

void add_embedding(std::vector<Parameter>& all, std::string_view name, size_t rows) {
  const auto small = [](Random& random, size_t) { return static_cast<float>(random.uniform(-0.02, 0.02)); };
  all.push_back({fmt::format("{}.weight", name), {rows, kEmbedding}, small});
}

std::vector<Parameter> parameters(const NetworkOptions& options) {
  const size_t hidden = options.hidden;
  const size_t inputs = options.inputs();
  // Each depth row of a sketch has length 1, each Fourier encoding 8 sines squared plus 8 cosines squared
  // of 16.
  const double input_power = static_cast<double>(options.depth) + 8.0 * static_cast<double>(options.numeric);
  const double first = input_power / (3.0 * static_cast<double>(inputs));  // variance of W1 in, and of P in
  const double normalised = 1.0 / 3.0;                                     // of W x for an x of variance 1

  std::vector<Parameter> all;
  add_linear(all, "l1", hidden, inputs);
  add_linear(all, "projection", hidden, inputs);
  add_linear(all, "l2", hidden, hidden);
  add_linear(all, "l3", hidden, hidden);
  add_linear(all, "l4", hidden, hidden);
  all.push_back({"l_output.weight", {4, hidden}, uniform_by_fan_in(hidden)});
  // Logits of the base rates, in the network's order: like, retweet, quote, reply.
  all.push_back({"l_output.bias", {4}, [](Random&, size_t i) {
                   constexpr float kLogits[4] = {-0.405F, -2.314F, -4.955F, -3.476F};
                   return kLogits[i];
                 }});
  add_normalisation(all, "bn1", hidden, std::sqrt(first));
  add_normalisation(all, "bn2", hidden, std::sqrt(normalised + first));
  add_normalisation(all, "bn3", hidden, std::sqrt(normalised + first));
  add_normalisation(all, "bn4", hidden, std::sqrt(normalised + 1));
  add_embedding(all, "language", options.languages + 1);  // the last row: a language that is not in the table
  add_embedding(all, "hour", 24);
  add_embedding(all, "day", 31);
  return all;
}

std::string safetensors_header(std::span<const Parameter> all) {
  std::string json = "{";
  size_t offset = 0;
  for (const Parameter& parameter : all) {
    const size_t end = offset + parameter.elements() * sizeof(float);
    json += fmt::format(R"({}"{}":{{"dtype":"F32","shape":[{}],"data_offsets":[{},{}]}})",
                        offset > 0 ? "," : "", parameter.name, fmt::join(parameter.shape, ","), offset, end);
    offset = end;
  }
  json += '}';
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const uint64_t size = json.size();
  std::string header(sizeof size, '\0');
  std::memcpy(header.data(), &size, sizeof size);
  return header + json;
}

}  // namespace

uint64_t write_checkpoint(const NetworkOptions& options, const std::filesystem::path& path) {
  const std::vector<Parameter> all = parameters(options);
  Output file(path);
  file.write(safetensors_header(all));
  uint64_t trained = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    Random random(mix(options.seed) ^ i);
    std::vector<float> values(all[i].elements());
    for (size_t k = 0; k < values.size(); ++k) values[k] = all[i].draw(random, k);
    file.write({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
    if (all[i].trained) trained += values.size();
  }
  file.close();
  return trained;
}

void write_codebook(const NetworkOptions& options, uint32_t vocabulary, const std::filesystem::path& path) {
  Random random(mix(options.seed ^ 0xC0DE));
  Output file(path);
  std::string text = "{";
  for (uint32_t token = 0; token < vocabulary; ++token) {
    if (token > 0 && random.chance(0.02)) continue;
    text += fmt::format("{}\"{}\": [", token > 0 ? ",\n" : "", token);
    for (size_t depth = 0; depth < options.depth; ++depth) {
      text += fmt::format("{}{}", depth > 0 ? ", " : "",
                          depth * options.width + random.below(static_cast<uint32_t>(options.width)));
    }
    text += ']';
  }
  text += "}\n";
  file.write(text);
  file.close();
}

void write_languages(const std::vector<std::string>& names, const std::filesystem::path& path) {
  Output file(path);
  std::string text = "{";
  for (size_t row = 0; row < names.size(); ++row) {
    text += fmt::format("{}\"{}\": {}", row > 0 ? ",\n" : "", names[row], row);
  }
  text += "}\n";
  file.write(text);
  file.close();
}

}  // namespace kinglet::synthetic
