#include <algorithm>
#include <array>

#include "kinglet/converter/tensors.h"
#include "kinglet/formats/error.h"
#include "kinglet/formats/file.h"

#include "src/key_prefix.h"
#include "src/npz.h"
#include "src/safetensors.h"
#include "src/torch.h"
#include "src/zip.h"

namespace kinglet::converter {
namespace {

constexpr std::array kZipStart{std::byte{'P'}, std::byte{'K'}, std::byte{3}, std::byte{4}};

bool is_zip(std::span<const std::byte> bytes) {
  return bytes.size() >= kZipStart.size() && std::equal(kZipStart.begin(), kZipStart.end(), bytes.begin());
}

Checkpoint read_zip(std::span<const std::byte> bytes, const std::string& name) {
  const ZipArchive archive(bytes, name);
  if (is_torch_zip(archive)) return read_torch_zip(archive);
  if (is_npz(archive)) return read_npz(archive);
  throw Error(name, "", "a zip archive, but neither torch.save's (NAME/data.pkl) nor npz (NAME.npy)");
}

Checkpoint read_any(std::span<const std::byte> bytes, const std::string& name) {
  if (is_zip(bytes)) return read_zip(bytes, name);
  if (is_safetensors(bytes)) return read_safetensors(bytes, name);
  refuse_legacy_torch(bytes, name);
  throw Error(name, "", "expected a checkpoint: torch.save's zip format, safetensors or npz");
}

}  // namespace

Checkpoint read_checkpoint(std::span<const std::byte> bytes, const std::string& name) {
  Checkpoint checkpoint = read_any(bytes, name);
  strip_key_prefix(checkpoint, name);
  return checkpoint;
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  const formats::MappedFile file(path);
  return read_checkpoint(file.bytes(), file.path());
}

}  // namespace kinglet::converter
