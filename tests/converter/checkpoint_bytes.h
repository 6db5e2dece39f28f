#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "kinglet/converter/tensors.h"

namespace kinglet::test {

/// A copy on the heap of exactly these bytes, so that a sanitizer sees every read beyond them.
inline std::vector<std::byte> exact_bytes(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

inline converter::Checkpoint checkpoint_of(std::string_view text) {
  return converter::read_checkpoint(exact_bytes(text), "net");
}

template <typename Number>
converter::Tensor tensor_of(converter::ElementType type, std::vector<uint64_t> shape,
                            std::vector<Number> elements) {
  const auto* bytes = reinterpret_cast<const std::byte*>(elements.data());
  return {type, std::move(shape), {bytes, bytes + elements.size() * sizeof(Number)}};
}

inline bool same(const converter::Tensor& a, const converter::Tensor& b) {
  return a.type == b.type && a.shape == b.shape && a.bytes == b.bytes;
}

inline bool same(const converter::TensorMap& a, const converter::TensorMap& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a) {
    const auto other = b.find(name);
    if (other == b.end() || !same(tensor, other->second)) return false;
  }
  return true;
}

/// Three small tensors of different types.
inline converter::TensorMap small_tensors() {
  using converter::ElementType;
  return {{"bn1.num_batches_tracked", tensor_of<int64_t>(ElementType::i64, {}, {7})},
          {"l1.bias", tensor_of<double>(ElementType::f64, {2}, {0.5, -1.0})},
          {"l1.weight", tensor_of<float>(ElementType::f32, {2, 3}, {1, 2, 3, 4, 5, 6})}};
}

}  // namespace kinglet::test
