#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kinglet/formats/model_file.h"
#include "kinglet/kernels/isa.h"

namespace kinglet {

struct ModelImpl;

struct OpenOptions {
  /// Default: $KINGLET_ISA if set, else the fastest this CPU supports.
  std::optional<kernels::Isa> isa = std::nullopt;
  /// Also check every tensor's checksum and values, and that the self-tests give the bits they should (reads
  /// the whole file; Model::verify).
  bool verify = false;
  /// Keep a copy of the file in memory of this process, in huge pages where the system gives them, rather
  /// than map it: scores wait less for addresses, but processes no longer share the pages, and open() reads
  /// all.
  bool huge_pages = false;
};

/// A model file, memory-mapped and bound to one instruction set's kernels. Immutable: copies share it, and
/// any number of threads and sessions may use it; processes share its pages. It lives as long as the last
/// copy or Session.
class Model {
 public:
  /// Checks the header, the structure and every bound, in time independent of the weights' size. Throws Error
  /// naming file, place and what was expected; also where $KINGLET_ISA or options.isa names an instruction
  /// set that this build or this CPU lacks.
  static Model open(const std::filesystem::path& path, const OpenOptions& options = {});
  /// Over a model file's bytes in memory, 64-byte aligned, which must outlive the model and its sessions.
  static Model from_memory(std::span<const std::byte> bytes, const std::string& name,
                           const OpenOptions& options = {});

  /// Reads everything: checksums, finite values, and the self-tests on this model's instruction set. Throws
  /// Error.
  void verify() const;

  /// Reads the file once, so that the first scores do not wait for the disk. Returns its bytes.
  uint64_t warm_up() const noexcept;

  kernels::Isa isa() const noexcept;
  const formats::ModelFile& file() const noexcept;

  /// Sizes of a Request's parts.
  size_t numeric_count() const noexcept;
  size_t flag_count() const noexcept;
  size_t category_count() const noexcept;
  /// How many categories embedding `i` of the layout has.
  uint32_t categories(size_t i) const noexcept;
  /// The category of a (hashed) language; the unknown one's if the model does not know it. Never allocates.
  uint32_t language_category(std::string_view language) const noexcept;

 private:
  friend class PreparedPart;
  friend class Session;
  friend class StagedSession;
  static Model finish(std::shared_ptr<const ModelImpl> impl, const OpenOptions& options);
  explicit Model(std::shared_ptr<const ModelImpl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const ModelImpl> impl_;
};

}  // namespace kinglet
