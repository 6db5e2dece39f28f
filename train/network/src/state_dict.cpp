#include "state_dict.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kinglet/formats/error.h"

namespace kinglet::train {
namespace {

using converter::Tensor;
using converter::TensorMap;

/// One tensor's way between PyTorch's shape and the trainer's layout.
struct Entry {
  std::string name;
  std::vector<uint64_t> shape;
  enum class Kind { first_layer, square, rows } kind;
  Slot slot;
  size_t first_column = 0;  // of the first layer: 0 for l1, padded hidden for projection
  size_t stride = 0;        // kind rows: floats from one row to the next in the slot
};

std::string numbered(const char* before, size_t i, const char* after) {
  return before + std::to_string(i) + after;
}

std::vector<Entry> entries(const ParameterLayout& layout) {
  const NetworkShape& shape = layout.shape();
  const uint64_t hidden = shape.hidden;
  const size_t padded = layout.padded_hidden();
  std::vector<Entry> all;
  const auto vector = [&](std::string name, Slot s, size_t first) {
    all.push_back({std::move(name), {hidden}, Entry::Kind::rows, s, first, padded});
  };
  const auto table = [&](std::string name, Slot s, uint64_t rows) {
    all.push_back({std::move(name), {rows, kEmbedding}, Entry::Kind::rows, s, 0, kEmbedding});
  };
  all.push_back({"l1.weight", {hidden, shape.inputs()}, Entry::Kind::first_layer, Slot::sketch});
  all.push_back(
      {"projection.weight", {hidden, shape.inputs()}, Entry::Kind::first_layer, Slot::sketch, padded});
  vector("l1.bias", Slot::first_bias, 0);
  vector("projection.bias", Slot::first_bias, padded);
  for (size_t i = 0; i < 3; ++i) {
    all.push_back(
        {numbered("l", i + 2, ".weight"), {hidden, hidden}, Entry::Kind::square, slot(Slot::weight2, i)});
    vector(numbered("l", i + 2, ".bias"), slot(Slot::bias2, i), 0);
  }
  for (size_t i = 0; i < kNorms; ++i) {
    vector(numbered("bn", i + 1, ".weight"), slot(Slot::scale1, i), 0);
    vector(numbered("bn", i + 1, ".bias"), slot(Slot::shift1, i), 0);
  }
  all.push_back({"l_output.weight", {4, hidden}, Entry::Kind::rows, Slot::output, 0, padded});
  all.push_back({"l_output.bias", {4}, Entry::Kind::rows, Slot::output_bias, 0, 4});
  table("language.weight", Slot::language, shape.languages);
  table("hour.weight", Slot::hour, kHours);
  table("day.weight", Slot::day, kDays);
  return all;
}

/// Calls visit(place in the tensor, place in the array) for every element.
template <typename Visit>
void for_each_element(const ParameterLayout& layout, const Entry& entry, const Visit& visit) {
  const NetworkShape& shape = layout.shape();
  const size_t padded = layout.padded_hidden();
  if (entry.kind == Entry::Kind::rows) {
    const size_t columns = entry.shape.back();
    const size_t rows = entry.shape.size() == 2 ? entry.shape[0] : 1;
    const size_t start = layout.offset(entry.slot) + entry.first_column;
    for (size_t i = 0; i < rows * columns; ++i) visit(i, start + i / columns * entry.stride + i % columns);
    return;
  }
  const size_t inputs = entry.shape[1];
  for (size_t in = 0; in < inputs; ++in) {
    for (size_t out = 0; out < shape.hidden; ++out) {
      const size_t column = entry.first_column + out;
      size_t place = layout.offset(entry.slot) + in * padded + out;
      if (entry.kind == Entry::Kind::first_layer) {
        place = in < shape.sketch ? layout.sketch_at(in, column) : layout.dense_at(in - shape.sketch, column);
      }
      visit(out * inputs + in, place);
    }
  }
}

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string text;
  for (const uint64_t extent : shape) text += (text.empty() ? "[" : ", ") + std::to_string(extent);
  return text.empty() ? "[]" : text + "]";
}

Tensor f32_tensor(const std::vector<uint64_t>& shape, const std::vector<float>& values) {
  Tensor tensor;
  tensor.shape = shape;
  tensor.bytes.resize(values.size() * sizeof(float));
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

std::vector<float> find(const TensorMap& tensors, const std::string& file, const std::string& name,
                        const std::vector<uint64_t>& shape) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw Error(file, "tensor " + name, "missing");
  if (found->second.shape != shape) {
    throw Error(file, "tensor " + name,
                "shape " + shape_text(found->second.shape) + ", expected " + shape_text(shape));
  }
  return found->second.to_f32();
}

}  // namespace

TensorMap to_state_dict(const ParameterLayout& layout, std::span<const float> values) {
  TensorMap tensors;
  for (const Entry& entry : entries(layout)) {
    std::vector<float> elements(entry.shape.size() == 2 ? entry.shape[0] * entry.shape[1] : entry.shape[0]);
    for_each_element(layout, entry, [&](size_t i, size_t place) { elements[i] = values[place]; });
    tensors.emplace(entry.name, f32_tensor(entry.shape, elements));
  }
  return tensors;
}

void from_state_dict(const TensorMap& tensors, const std::string& file, const ParameterLayout& layout,
                     std::span<float> values) {
  for (const Entry& entry : entries(layout)) {
    const std::vector<float> elements = find(tensors, file, entry.name, entry.shape);
    for_each_element(layout, entry, [&](size_t i, size_t place) { values[place] = elements[i]; });
  }
}

void add_statistics(const ParameterLayout& layout, const NormStatistics& statistics, TensorMap& tensors) {
  const size_t hidden = layout.shape().hidden;
  const auto copy = [&](const Buffer<float>& from) {
    return f32_tensor({hidden}, std::vector<float>(from.data(), from.data() + hidden));
  };
  for (size_t i = 0; i < kNorms; ++i) {
    tensors.emplace(numbered("bn", i + 1, ".running_mean"), copy(statistics.mean[i]));
    tensors.emplace(numbered("bn", i + 1, ".running_var"), copy(statistics.variance[i]));
    Tensor batches;
    batches.type = converter::ElementType::i64;
    batches.bytes.resize(sizeof(int64_t));
    std::memcpy(batches.bytes.data(), &statistics.batches, sizeof(int64_t));
    tensors.emplace(numbered("bn", i + 1, ".num_batches_tracked"), std::move(batches));
  }
}

void read_statistics(const TensorMap& tensors, const std::string& file, const ParameterLayout& layout,
                     NormStatistics& statistics) {
  const std::vector<uint64_t> shape{layout.shape().hidden};
  for (size_t i = 0; i < kNorms; ++i) {
    const auto mean = find(tensors, file, numbered("bn", i + 1, ".running_mean"), shape);
    const auto variance = find(tensors, file, numbered("bn", i + 1, ".running_var"), shape);
    std::copy(mean.begin(), mean.end(), statistics.mean[i].begin());
    std::copy(variance.begin(), variance.end(), statistics.variance[i].begin());
  }
  const auto batches = tensors.find("bn1.num_batches_tracked");
  statistics.batches = batches == tensors.end() || batches->second.elements() != 1
                           ? 0
                           : static_cast<int64_t>(batches->second.to_f64()[0]);
}

}  // namespace kinglet::train
