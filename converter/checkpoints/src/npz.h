#pragma once

#include "kinglet/converter/tensors.h"

#include "src/zip.h"

namespace kinglet::converter {

/// True if the archive holds an array: a name that ends in ".npy".
bool is_npz(const ZipArchive& archive) noexcept;

/// Every array, under its name without ".npy"; other entries are listed as ignored.
Checkpoint read_npz(const ZipArchive& archive);

}  // namespace kinglet::converter
