// Arbitrary bytes as safetensors, and as a header whose length before it is right.
#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

#include "kinglet/converter/tensors.h"
#include "kinglet/formats/error.h"

namespace {

void read(std::string_view file) {
  try {
    const auto checkpoint = kinglet::converter::read_checkpoint(std::as_bytes(std::span(file)), "fuzz");
    for (const auto& [name, tensor] : checkpoint.tensors) (void)tensor.to_f32();
  } catch (const kinglet::Error&) {  // refused: as it should be
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  const uint64_t header = std::min(bytes.size(), bytes.rfind('}') + 1);
  read(std::string(reinterpret_cast<const char*>(&header), sizeof header).append(bytes));
  return 0;
}
