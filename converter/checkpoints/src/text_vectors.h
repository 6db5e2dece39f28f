#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "kinglet/converter/token_vectors.h"

namespace kinglet::converter {

/// Vectors as text, a line a token: id, then floats. The ids keep the order of the lines; the caller sorts
/// them. `name` stands for the file in errors.
TokenVectors read_text_vectors(std::span<const std::byte> bytes, const std::string& name);

}  // namespace kinglet::converter
