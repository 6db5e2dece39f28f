#pragma once

#include "kinglet/converter/tensors.h"

namespace kinglet::converter {

/// Finds what stands before "l1.weight" (nothing, or names that each end in '.'), strips it from every name
/// and stores it in `key_prefix`; tensors under no such prefix move to `ignored`. Without an "l1.weight"
/// nothing changes; with several, throws Error under the file's `name`.
void strip_key_prefix(Checkpoint& checkpoint, const std::string& name);

}  // namespace kinglet::converter
