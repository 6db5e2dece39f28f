#pragma once

#include <cstddef>
#include <cstdint>

namespace kinglet::converter {

// What a checkpoint may make its reader allocate. Together these keep a 1 MiB file below 64 MiB, whatever it
// says: decoded bytes (40 MiB) and the list of tensors (about 4 MiB) exist at the same time; the pickle's
// values (about 20 MiB) and its inflated text are gone, or small, before the first tensor is copied.

inline constexpr size_t kMaxTensors = 8'192;
inline constexpr size_t kMaxDimensions = 8;
inline constexpr size_t kMaxSafetensorsHeader = size_t{8} << 20;  // bytes
inline constexpr size_t kMaxPickleBytes = size_t{8} << 20;
/// Executed opcodes of one pickle. Each makes, stacks, stores or remembers at most one value, so this bounds
/// the values, the stack and the memo alike; 65,536 languages take three opcodes each.
inline constexpr size_t kMaxPickleOpcodes = size_t{1} << 18;

/// Bytes that may be decoded from a file of `file_bytes`: inflated entries and copied tensors. Trained
/// weights hardly deflate at all, but tables of features do so 27 times.
constexpr uint64_t max_decoded_bytes(uint64_t file_bytes) noexcept {
  return (uint64_t{16} << 20) + 24 * file_bytes;
}

/// Counts decoded bytes against max_decoded_bytes before they are allocated.
class DecodeBudget {
 public:
  explicit DecodeBudget(uint64_t file_bytes) : left_(max_decoded_bytes(file_bytes)) {}
  /// False, and nothing taken, if `bytes` are more than is left.
  [[nodiscard]] bool take(uint64_t bytes) noexcept {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }

 private:
  uint64_t left_;
};

}  // namespace kinglet::converter
