#include "src/npz.h"

#include <algorithm>

#include "kinglet/formats/error.h"

#include "src/limits.h"
#include "src/npy_array.h"
#include "src/text.h"

namespace kinglet::converter {
namespace {

constexpr std::string_view kSuffix = ".npy";

Tensor read_array(const ZipArchive& archive, const ZipEntry& entry) {
  ZipEntryReader reader(archive, entry);
  Tensor tensor = read_npy_array(reader, archive.file() + ": " + in_quotes(entry.name));
  reader.finish();
  return tensor;
}

}  // namespace

bool is_npz(const ZipArchive& archive) noexcept {
  return std::any_of(archive.entries().begin(), archive.entries().end(),
                     [](const ZipEntry& entry) { return entry.name.ends_with(kSuffix); });
}

Checkpoint read_npz(const ZipArchive& archive) {
  Checkpoint checkpoint;
  checkpoint.format = "npz";
  for (const ZipEntry& entry : archive.entries()) {
    if (!entry.name.ends_with(kSuffix)) {
      checkpoint.ignored.emplace_back(entry.name);
      continue;
    }
    if (checkpoint.tensors.size() == kMaxTensors) {
      archive.fail(entry, "more than " + std::to_string(kMaxTensors) + " tensors");
    }
    const auto name = entry.name.substr(0, entry.name.size() - kSuffix.size());
    checkpoint.tensors.emplace(name, read_array(archive, entry));
  }
  return checkpoint;
}

}  // namespace kinglet::converter
