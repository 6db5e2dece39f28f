#include "pack.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kinglet/formats/error.h"
#include "kinglet/kernels/kernels.h"

#include "column_unit.h"
#include "half.h"

namespace kinglet::converter {

namespace {

/// What one unit stands for: a float, since that is what the engine multiplies by; 1 where all values are 0.
double unit_of(double largest, double limit, const std::string& tensor) {
  const double unit = largest / limit;
  return unit < kNegligible ? 1 : double{to_float(unit, tensor)};
}

/// Rounding the unit to float may carry the largest value a hair beyond the limit.
double to_units(double value, double unit, double limit) {
  return std::clamp(std::nearbyint(value / unit), -limit, limit);
}

}  // namespace

float to_float(double value, const std::string& tensor) {
  const auto rounded = static_cast<float>(value);
  if (!std::isfinite(rounded)) throw Error("tensor " + tensor, "", "a folded value does not fit a float");
  return rounded;
}

double TensorPack::without_negligible(double value) noexcept {
  if (value == 0 || std::fabs(value) >= kNegligible) return value;
  ++negligible_;
  return std::copysign(0.0, value);
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

void TensorPack::add_vector(const std::string& name, std::span<const double> values, uint64_t padded) {
  std::vector<float> floats(padded);
  for (size_t i = 0; i < values.size(); ++i) floats[i] = to_float(without_negligible(values[i]), name);
  add(name, fbs::ElementType::f32, {values.size()}, std::as_bytes(std::span(floats))).padded_columns =
      static_cast<uint32_t>(padded);
}

namespace {

/// 4-bit integers, two a byte, group by group.
std::vector<uint8_t> pairs_of(std::span<const int8_t> units) {
  constexpr uint64_t kGroup = kernels::kNibbleGroup;
  std::vector<uint8_t> pairs(units.size() / 2);
  for (size_t i = 0; i < units.size(); ++i) {
    const bool upper = i % kGroup >= kGroup / 2;
    const auto nibble = static_cast<uint8_t>(units[i] + kernels::kNibbleOffset);
    pairs[i / kGroup * (kGroup / 2) + i % (kGroup / 2)] |= static_cast<uint8_t>(upper ? nibble << 4 : nibble);
  }
  return pairs;
}

/// Signs, eight a byte, group by group.
std::vector<uint8_t> bits_of(std::span<const int8_t> units) {
  constexpr uint64_t kBytes = kernels::kSignGroup / 8;
  std::vector<uint8_t> bytes(units.size() / 8);
  for (size_t i = 0; i < units.size(); ++i) {
    const auto bit = static_cast<uint8_t>(units[i] > 0 ? 1 : 0);
    bytes[i / kernels::kSignGroup * kBytes + i % kBytes] |=
        static_cast<uint8_t>(bit << i % kernels::kSignGroup / kBytes);
  }
  return bytes;
}

}  // namespace

template <typename Element>
void TensorPack::add_float_panels(const std::string& name, fbs::ElementType type,
                                  std::span<const double> values, uint64_t outputs, uint64_t inputs,
                                  uint32_t panel, Rounding<Element> round) {
  const uint64_t panels = (outputs + panel - 1) / panel;
  std::vector<Element> packed(panels * inputs * panel);
  for (uint64_t o = 0; o < outputs; ++o) {
    Element* lane = packed.data() + o / panel * inputs * panel + o % panel;
    for (uint64_t i = 0; i < inputs; ++i)
      lane[i * panel] = round(without_negligible(values[o * inputs + i]), name);
  }
  fbs::TensorT& info = add(name, type, {outputs, inputs}, std::as_bytes(std::span(packed)));
  info.packing = fbs::Packing::panels;
  info.panel = panel;
}

void TensorPack::add_panels(const std::string& name, fbs::ElementType type, std::span<const double> values,
                            uint64_t outputs, uint64_t inputs, uint32_t panel) {
  switch (type) {
    case fbs::ElementType::bf16:
      return add_float_panels(name, type, values, outputs, inputs, panel, to_bf16);
    case fbs::ElementType::f16:
      return add_float_panels(name, type, values, outputs, inputs, panel, to_f16);
    default:
      return add_float_panels(name, fbs::ElementType::f32, values, outputs, inputs, panel, to_float);
  }
}

template <typename Element>
void TensorPack::add_float_rows(const std::string& name, fbs::ElementType type,
                                std::span<const double> values, uint64_t columns, Rounding<Element> round) {
  std::vector<Element> rounded;
  rounded.reserve(values.size());
  for (const double value : values) rounded.push_back(round(without_negligible(value), name));
  add(name, type, {values.size() / columns, columns}, std::as_bytes(std::span(rounded)));
}

template <typename Integer>
TensorPack::IntegerRows<Integer> TensorPack::round_rows(const std::string& name,
                                                        std::span<const double> values, uint64_t columns,
                                                        uint64_t narrow) {
  std::vector<double> largest(columns);
  for (size_t i = 0; i < values.size(); ++i)
    largest[i % columns] = std::max(largest[i % columns], std::fabs(values[i]));
  std::vector<double> limits(columns, double{std::numeric_limits<Integer>::max()});
  std::fill_n(limits.begin(), narrow, kNibbleLimit);
  IntegerRows<Integer> rows{{}, {}};
  for (uint64_t c = 0; c < columns; ++c) rows.scale.push_back(unit_of(largest[c], limits[c], name));
  rows.units.reserve(values.size());
  for (auto left = values; !left.empty(); left = left.subspan(columns)) {
    for (uint64_t c = 0; c < columns; ++c)
      rows.units.push_back(static_cast<Integer>(to_units(left[c], rows.scale[c], limits[c])));
  }
  return rows;
}

template <typename Integer>
void TensorPack::add_integer_rows(const std::string& name, fbs::ElementType type,
                                  std::span<const double> values, uint64_t columns) {
  const IntegerRows<Integer> rows = round_rows<Integer>(name, values, columns);
  add(name, type, {values.size() / columns, columns}, std::as_bytes(std::span(rows.units)));
  add_vector(name + ".scale", rows.scale, columns);
}

void TensorPack::add_rows(const std::string& name, fbs::ElementType type, std::span<const double> values,
                          uint64_t columns) {
  switch (type) {
    case fbs::ElementType::bf16:
      return add_float_rows(name, type, values, columns, to_bf16);
    case fbs::ElementType::f16:
      return add_float_rows(name, type, values, columns, to_f16);
    case fbs::ElementType::s8:
      return add_integer_rows<int8_t>(name, type, values, columns);
    case fbs::ElementType::s16:
      return add_integer_rows<int16_t>(name, type, values, columns);
    default:
      return add_float_rows(name, fbs::ElementType::f32, values, columns, to_float);
  }
}

void TensorPack::add_nibble_rows(const std::string& name, const NarrowRows& rows) {
  const std::vector<uint8_t> pairs = pairs_of(rows.units);
  const uint64_t columns = rows.scale.size();
  add(name, fbs::ElementType::s4, {rows.units.size() / columns, columns}, std::as_bytes(std::span(pairs)));
  add_vector(name + ".scale", rows.scale, columns);
}

void TensorPack::add_split_rows(const std::string& name, const ByteRows& rows, uint64_t narrow,
                                uint32_t bits) {
  const uint64_t columns = rows.scale.size();
  const uint64_t count = rows.units.size() / columns;
  std::vector<std::byte> packed;
  packed.reserve(count * (columns - narrow + narrow * bits / 8));
  for (uint64_t r = 0; r < count; ++r) {
    const std::span<const int8_t> row = std::span(rows.units).subspan(r * columns, columns);
    const std::vector<uint8_t> first = bits == 1 ? bits_of(row.first(narrow)) : pairs_of(row.first(narrow));
    const auto behind = std::as_bytes(row.subspan(narrow));
    const auto before = std::as_bytes(std::span(first));
    packed.insert(packed.end(), before.begin(), before.end());
    packed.insert(packed.end(), behind.begin(), behind.end());
  }
  fbs::TensorT& info = add(name, fbs::ElementType::s8, {count, columns}, packed);
  info.packing = fbs::Packing::split;
  info.narrow = static_cast<uint32_t>(narrow);
  info.narrow_bits = static_cast<uint8_t>(bits);
  add_vector(name + ".scale", rows.scale, columns);
}

void TensorPack::add_split_rows(const std::string& name, const NarrowRows& first, uint32_t bits,
                                std::span<const double> others) {
  const uint64_t narrow = first.scale.size();
  const uint64_t count = first.units.size() / narrow;
  const uint64_t wide = others.size() / count;
  const IntegerRows<int8_t> behind = round_rows<int8_t>(name, others, wide);
  ByteRows rows{{}, first.scale, {}};
  rows.scale.insert(rows.scale.end(), behind.scale.begin(), behind.scale.end());
  rows.units.reserve(first.units.size() + behind.units.size());
  for (uint64_t r = 0; r < count; ++r) {
    const auto lower = std::span(first.units).subspan(r * narrow, narrow);
    const auto upper = std::span(behind.units).subspan(r * wide, wide);
    rows.units.insert(rows.units.end(), lower.begin(), lower.end());
    rows.units.insert(rows.units.end(), upper.begin(), upper.end());
  }
  add_split_rows(name, rows, narrow, bits);
}

void TensorPack::add_bundles(const std::string& name, std::span<const double> values, uint64_t columns,
                             uint64_t narrow, uint64_t bundle) {
  constexpr uint64_t kQuad = kernels::kQuad;
  constexpr uint64_t kPanel = kernels::kWidePanel;
  const IntegerRows<int8_t> rows = round_rows<int8_t>(name, values, columns, narrow);
  std::vector<int8_t> units(rows.units.size());
  for (uint64_t i = 0; i < units.size(); ++i) {
    const uint64_t row = i / columns;
    const uint64_t column = i % columns;
    const uint64_t quad = ((row / bundle * columns + column / kPanel * kPanel) * bundle +
                           row % bundle / kQuad * kPanel * kQuad);
    units[quad + column % kPanel * kQuad + row % kQuad] = rows.units[i];
  }
  const uint64_t first = narrow * bundle;
  std::vector<std::byte> packed;
  packed.reserve(units.size());
  for (auto left = std::span<const int8_t>(units); !left.empty(); left = left.subspan(columns * bundle)) {
    const std::vector<uint8_t> pairs = pairs_of(left.first(first));
    const auto before = std::as_bytes(std::span(pairs));
    const auto behind = std::as_bytes(left.subspan(first, columns * bundle - first));
    packed.insert(packed.end(), before.begin(), before.end());
    packed.insert(packed.end(), behind.begin(), behind.end());
  }
  fbs::TensorT& info = add(name, fbs::ElementType::s8, {values.size() / columns, columns}, packed);
  info.packing = fbs::Packing::bundles;
  info.panel = static_cast<uint32_t>(bundle);
  info.narrow = static_cast<uint32_t>(narrow);
  add_vector(name + ".scale", rows.scale, columns);
}

void TensorPack::add_byte_rows(const std::string& name, const ByteRows& rows, uint64_t narrow) {
  if (narrow != 0) return add_split_rows(name, rows, narrow, 4);
  const uint64_t columns = rows.scale.size();
  add(name, fbs::ElementType::s8, {rows.units.size() / columns, columns},
      std::as_bytes(std::span(rows.units)));
  add_vector(name + ".scale", rows.scale, columns);
}

void TensorPack::add_numbers(const std::string& name, std::span<const int32_t> numbers) {
  add(name, fbs::ElementType::s32, {numbers.size()}, std::as_bytes(numbers));
}

void TensorPack::add_quads(const std::string& name, std::span<const double> values, uint64_t outputs,
                           uint64_t inputs, uint32_t panel) {
  constexpr uint64_t kQuad = kernels::kQuad;
  constexpr double kLimit = 127;
  const uint64_t padded_inputs = (inputs + kQuad - 1) / kQuad * kQuad;
  const uint64_t padded_outputs = (outputs + panel - 1) / panel * panel;
  std::vector<int8_t> packed(padded_outputs * padded_inputs);
  std::vector<double> scale(outputs);
  std::vector<int32_t> sums(padded_outputs);
  for (uint64_t o = 0; o < outputs; ++o) {
    const std::span<const double> row = values.subspan(o * inputs, inputs);
    double largest = 0;
    for (const double value : row) largest = std::max(largest, std::fabs(value));
    scale[o] = unit_of(largest, kLimit, name);
    int8_t* lane = packed.data() + o / panel * panel * padded_inputs + o % panel * kQuad;
    for (uint64_t i = 0; i < inputs; ++i) {
      const auto weight = static_cast<int8_t>(to_units(row[i], scale[o], kLimit));
      lane[i / kQuad * panel * kQuad + i % kQuad] = weight;
      sums[o] += weight;
    }
  }
  fbs::TensorT& info = add(name, fbs::ElementType::s8, {outputs, inputs}, std::as_bytes(std::span(packed)));
  info.packing = fbs::Packing::quads;
  info.panel = panel;
  add_vector(name + ".scale", scale, padded_outputs);
  add(name + ".sums", fbs::ElementType::s32, {outputs}, std::as_bytes(std::span(sums))).padded_columns =
      static_cast<uint32_t>(padded_outputs);
}

void TensorPack::add_floats(const std::string& name, std::span<const float> values, uint64_t columns) {
  add(name, fbs::ElementType::f32, {values.size() / columns, columns}, std::as_bytes(values));
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
