#include "pack.h"

#include <cmath>

#include "kinglet/formats/error.h"

namespace kinglet::converter {

float to_float(double value, const std::string& tensor) {
  const auto rounded = static_cast<float>(value);
  if (!std::isfinite(rounded)) throw Error("tensor " + tensor, "", "a folded value does not fit a float");
  return rounded;
}

fbs::TensorT& TensorPack::add(const std::string& name, fbs::ElementType type, std::vector<uint64_t> shape,
                              std::span<const std::byte> bytes) {
  infos_.push_back(std::make_unique<fbs::TensorT>());
  fbs::TensorT& info = *infos_.back();
  info.name = name;
  info.type = type;
  info.padded_columns = static_cast<uint32_t>(shape.back());
  info.shape = std::move(shape);
  bytes_.emplace_back(bytes.begin(), bytes.end());
  return info;
}

void TensorPack::add_rows(const std::string& name, uint64_t rows, uint64_t columns,
                          std::vector<float> values) {
  add(name, fbs::ElementType::f32, {rows, columns}, std::as_bytes(std::span(values)));
}

void TensorPack::add_vector(const std::string& name, std::span<const double> values, uint64_t padded) {
  std::vector<float> floats(padded);
  for (size_t i = 0; i < values.size(); ++i) floats[i] = to_float(values[i], name);
  add(name, fbs::ElementType::f32, {values.size()}, std::as_bytes(std::span(floats))).padded_columns =
      static_cast<uint32_t>(padded);
}

void TensorPack::add_panels(const std::string& name, std::span<const double> values, uint64_t outputs,
                            uint64_t inputs, uint32_t panel) {
  const uint64_t panels = (outputs + panel - 1) / panel;
  std::vector<float> packed(panels * inputs * panel);
  for (uint64_t o = 0; o < outputs; ++o) {
    float* lane = packed.data() + o / panel * inputs * panel + o % panel;
    for (uint64_t i = 0; i < inputs; ++i) lane[i * panel] = to_float(values[o * inputs + i], name);
  }
  fbs::TensorT& info = add(name, fbs::ElementType::f32, {outputs, inputs}, std::as_bytes(std::span(packed)));
  info.packing = fbs::Packing::panels;
  info.panel = panel;
}

void TensorPack::add_codes(const std::string& name, uint64_t tokens, uint64_t depth,
                           std::span<const uint16_t> codes) {
  add(name, fbs::ElementType::u16, {tokens, depth}, std::as_bytes(codes));
}

std::vector<std::vector<std::byte>> TensorPack::release(fbs::ModelT& header) {
  header.tensors = std::move(infos_);
  return std::move(bytes_);
}

}  // namespace kinglet::converter
