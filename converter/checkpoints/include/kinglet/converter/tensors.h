#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace kinglet::converter {

/// Element types a checkpoint may hold. The network's tensors must be of a floating type; integers are kept
/// for counters such as num_batches_tracked.
enum class ElementType : uint8_t { f16, bf16, f32, f64, i8, u8, i16, u16, i32, u32, i64, u64, boolean };
size_t element_size(ElementType type) noexcept;
const char* element_name(ElementType type) noexcept;

/// One tensor in row-major order, copied out of the checkpoint (strides resolved), little-endian. A plain
/// value: its maker keeps bytes.size() = elements() x element_size(type).
struct Tensor {
  ElementType type = ElementType::f32;
  std::vector<uint64_t> shape;  // empty: a scalar
  std::vector<std::byte> bytes;

  /// The product of the shape.
  uint64_t elements() const noexcept;
  /// Every element as a double, exactly (i64/u64 beyond 2^53 are rounded). A boolean is 0 or 1.
  std::vector<double> to_f64() const;
  /// Every element rounded once to the nearest float (exact for f16, bf16, f32); beyond its range, an
  /// infinity.
  std::vector<float> to_f32() const;
};

/// Tensors by name, in bytewise name order.
using TensorMap = std::map<std::string, Tensor, std::less<>>;

struct Checkpoint {
  TensorMap tensors;
  std::string format;  // "torch zip", "safetensors" or "npz"
  /// What stood before "l1.weight" and was stripped from every name, e.g. "model."; empty if nothing.
  std::string key_prefix;
  /// What is in the file besides `tensors`: other keys of the checkpoint in file order (e.g. "epoch",
  /// "optimizer_states", "state_dict.KEY" for what is no tensor), then tensors without the key prefix in name
  /// order.
  std::vector<std::string> ignored;
};

/// Reads FILE by its content, never by its name: torch.save's zip format (a state dict, or a dict that holds
/// one as "state_dict"), safetensors or npz. No code in the file is run: pickle opcodes and globals outside
/// an allow-list are refused. The tensors take at most 16 MiB + 24 x the file's size, and everything else
/// together at most 24 MiB, or the size of the largest deflated storage. docs/formats/checkpoints.md lists
/// what is accepted. Throws Error naming file, place and what was expected. Thread-safe.
Checkpoint read_checkpoint(const std::filesystem::path& path);
/// The same over bytes in memory; `name` stands for the file in messages.
Checkpoint read_checkpoint(std::span<const std::byte> bytes, const std::string& name);

/// True if the bytes begin as an .npy array does.
bool is_npy(std::span<const std::byte> bytes) noexcept;
/// Reads one .npy array, which must fill `bytes`; `name` stands for the file in messages. Throws Error.
Tensor read_npy(std::span<const std::byte> bytes, const std::string& name);

/// Writes a safetensors file, whole or not at all. Names are plain ASCII without quotes and backslashes. The
/// same tensors give the same bytes. Throws Error if it cannot be written.
void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors);

}  // namespace kinglet::converter
