#pragma once

#include "kinglet/converter/tensors.h"

#include "src/zip.h"

namespace kinglet::converter {

/// True if the archive holds what torch.save writes: NAME/data.pkl.
bool is_torch_zip(const ZipArchive& archive) noexcept;

/// The state dict, its names as they stand in the file: the top-level dict itself, or its value "state_dict".
Checkpoint read_torch_zip(const ZipArchive& archive);

/// Throws if the bytes are torch.save's format from before PyTorch 1.6, and says how to save them again.
void refuse_legacy_torch(std::span<const std::byte> bytes, const std::string& name);

}  // namespace kinglet::converter
