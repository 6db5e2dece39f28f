#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "kinglet/converter/tensors.h"

namespace kinglet::converter {

/// True if the bytes begin as safetensors does: a header length, then '{'.
bool is_safetensors(std::span<const std::byte> bytes) noexcept;

Checkpoint read_safetensors(std::span<const std::byte> bytes, const std::string& name);

}  // namespace kinglet::converter
