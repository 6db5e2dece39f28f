#include "src/torch.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <optional>

#include "kinglet/formats/error.h"

#include "src/limits.h"
#include "src/state_dict.h"
#include "src/strided.h"
#include "src/text.h"

namespace kinglet::converter {
namespace {

constexpr std::string_view kPickleName = "data.pkl";

// The folder that torch.save puts everything into, with its slash; empty if there is none.
std::string_view root_of(const ZipArchive& archive) noexcept {
  for (const ZipEntry& entry : archive.entries()) {
    const size_t slash = entry.name.find('/');
    if (slash != std::string_view::npos && entry.name.substr(slash + 1) == kPickleName) {
      return entry.name.substr(0, slash + 1);
    }
  }
  return {};
}

std::string joined(std::string_view root, std::string_view name) {
  return std::string(root).append(name);
}

void check_byte_order(const ZipArchive& archive, std::string_view root) {
  const ZipEntry* entry = archive.find(joined(root, "byteorder"));
  if (entry == nullptr) return;  // written since PyTorch 2.1
  constexpr std::string_view little = "little";
  if (entry->size != little.size() || as_text(ZipEntryBytes(archive, *entry).bytes()) != little) {
    archive.fail(*entry, "expected the byte order to be \"little\"");
  }
}

// Copies tensors out of their storages: one storage after the other, so that no two inflated ones exist
// together.
class StorageReader {
 public:
  StorageReader(const ZipArchive& archive, std::string_view root)
      : archive_(archive), root_(root), budget_(archive.file_bytes()) {}

  TensorMap read(std::span<const TensorView> views);

 private:
  const ZipEntry& entry_of(const TensorView& view) const;
  void check(const TensorView& view, const ZipEntry& entry) const;
  Tensor copy(const TensorView& view, std::span<const std::byte> storage);
  [[noreturn]] void fail(const TensorView& view, std::string_view message) const {
    throw Error(archive_.file(), in_quotes(view.name), message);
  }

  const ZipArchive& archive_;
  std::string_view root_;
  DecodeBudget budget_;
  uint64_t inflated_ = 0;  // bytes of the largest inflated storage so far, taken from the budget
};

TensorMap StorageReader::read(std::span<const TensorView> views) {
  std::vector<size_t> order(views.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return views[a].storage < views[b].storage; });
  TensorMap tensors;
  const ZipEntry* current = nullptr;
  std::optional<ZipEntryBytes> storage;
  for (const size_t index : order) {
    const TensorView& view = views[index];
    const ZipEntry& entry = entry_of(view);
    check(view, entry);
    if (&entry != current) {
      storage.reset();
      if (entry.deflated && entry.size > inflated_) {
        if (!budget_.take(entry.size - inflated_))
          fail(view, "its storage is too large for a file of this size");
        inflated_ = entry.size;
      }
      storage.emplace(archive_, entry);
      current = &entry;
    }
    tensors.emplace(view.name, copy(view, storage->bytes()));
  }
  return tensors;
}

const ZipEntry& StorageReader::entry_of(const TensorView& view) const {
  const ZipEntry* entry = archive_.find(joined(root_, "data/").append(view.storage));
  if (entry == nullptr) fail(view, "its storage " + in_quotes(view.storage) + " is not in the file");
  return *entry;
}

void StorageReader::check(const TensorView& view, const ZipEntry& entry) const {
  const size_t size = element_size(view.type);
  if (entry.size % size != 0 || entry.size / size != view.storage_elements) {
    fail(view, "expected storage " + in_quotes(view.storage) + " to hold " +
                   std::to_string(view.storage_elements) + " elements of type " + element_name(view.type) +
                   ", it has " + std::to_string(entry.size) + " bytes");
  }
  const auto elements = element_count(view.shape);
  if (!elements) fail(view, "its shape has too many elements");
  if (*elements == 0) return;
  const auto last = last_index(view.offset, view.shape, view.strides);
  if (!last || *last >= view.storage_elements) {
    fail(view, "reaches beyond its storage of " + std::to_string(view.storage_elements) + " elements");
  }
}

Tensor StorageReader::copy(const TensorView& view, std::span<const std::byte> storage) {
  const auto bytes = tensor_bytes(view.type, view.shape);
  if (!bytes || !budget_.take(*bytes)) fail(view, "too large for a file of this size");
  Tensor tensor{view.type, view.shape, std::vector<std::byte>(*bytes)};
  if (*bytes == 0) return tensor;
  const size_t size = element_size(view.type);
  const auto row_major = row_major_strides(view.shape);
  if (std::equal(view.strides.begin(), view.strides.end(), row_major.begin())) {
    std::memcpy(tensor.bytes.data(), storage.data() + view.offset * size, *bytes);
    return tensor;
  }
  StridedWalk walk(view.shape, view.strides, view.offset);
  for (uint64_t target = 0; target < *bytes; target += size, walk.next()) {
    std::memcpy(tensor.bytes.data() + target, storage.data() + walk.index() * size, size);
  }
  return tensor;
}

}  // namespace

bool is_torch_zip(const ZipArchive& archive) noexcept {
  return !root_of(archive).empty();
}

Checkpoint read_torch_zip(const ZipArchive& archive) {
  const std::string_view root = root_of(archive);
  if (archive.find(joined(root, "constants.pkl")) != nullptr) {
    throw Error(archive.file(), "", "a TorchScript program: expected torch.save of its state_dict()");
  }
  check_byte_order(archive, root);
  const ZipEntry& entry = *archive.find(joined(root, kPickleName));
  if (entry.size > kMaxPickleBytes) {
    archive.fail(entry, "a pickle of more than " + std::to_string(kMaxPickleBytes) + " bytes");
  }
  const ZipEntryBytes pickle(archive, entry);
  const std::string name = archive.file() + ": " + in_quotes(entry.name);
  // The pickle's values are gone before tensors are copied; the views into its bytes remain.
  StateDict state = find_state_dict(read_pickle(pickle.bytes(), name, state_dict_globals()), name);
  Checkpoint checkpoint;
  checkpoint.format = "torch zip";
  checkpoint.tensors = StorageReader(archive, root).read(state.tensors);
  checkpoint.ignored = std::move(state.ignored);
  return checkpoint;
}

void refuse_legacy_torch(std::span<const std::byte> bytes, const std::string& name) {
  // A pickle that holds nothing but torch's magic number, 0x1950a86a20f9469cfc6c.
  constexpr std::array<uint8_t, 14> magic{0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                          0x20, 0x6a, 0xa8, 0x50, 0x19, '.',  0x80};
  if (bytes.size() >= magic.size() + 2 && bytes[0] == std::byte{0x80} &&
      std::memcmp(bytes.data() + 2, magic.data(), magic.size()) == 0) {
    throw Error(
        name, "",
        "torch.save's format from before PyTorch 1.6: expected its zip format. Save it again with a newer "
        "PyTorch: torch.save(torch.load(OLD, map_location=\"cpu\"), NEW)");
  }
}

}  // namespace kinglet::converter
