#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kinglet/converter/tensors.h"

#include "src/pickle.h"

namespace kinglet::converter {

/// The globals that a state dict's pickle may name.
std::span<const std::string_view> state_dict_globals() noexcept;

/// A tensor as the pickle describes it: a strided view into a storage. Nothing in it has been checked against
/// the storage's bytes.
struct TensorView {
  std::string name;
  ElementType type = ElementType::f32;
  std::string_view storage;       // its key, a view into the pickle's bytes
  uint64_t storage_elements = 0;  // as declared
  uint64_t offset = 0;            // of the first element, in elements
  std::vector<uint64_t> shape;
  std::vector<uint64_t> strides;  // in elements
};

struct StateDict {
  std::vector<TensorView> tensors;   // in the pickle's order, names distinct
  std::vector<std::string> ignored;  // other keys, in the pickle's order
};

/// Finds the state dict in a pickle: the top-level dict, or its value "state_dict". `name` stands for the
/// pickle in errors.
StateDict find_state_dict(const Pickle& pickle, std::string_view name);

}  // namespace kinglet::converter
