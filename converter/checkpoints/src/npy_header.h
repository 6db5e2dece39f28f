#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "kinglet/converter/tensors.h"

namespace kinglet::converter {

/// What an .npy header says of the array that follows.
struct NpyHeader {
  ElementType type = ElementType::f64;
  bool column_major = false;  // "fortran_order"
  std::vector<uint64_t> shape;
};

/// Parses the header's text, a Python dict literal of exactly "descr", "fortran_order" and "shape", with a
/// grammar of its own. `name` stands for the array in errors.
NpyHeader parse_npy_header(std::string_view text, std::string_view name);

}  // namespace kinglet::converter
