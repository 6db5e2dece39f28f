// Arbitrary bytes as a model file. The header's checksum is made right first, so that the fuzzer reaches what lies behind
// it; what opens is scored with.
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "kinglet/formats/error.h"
#include "kinglet/session.h"

namespace {

void seal(std::byte* bytes, size_t size) {
  uint32_t header = 0;
  if (size < 4) return;
  std::memcpy(&header, bytes, 4);
  if (uint64_t{header} + 4 + sizeof(kinglet::formats::Checksum) > size) return;
  const auto checksum = kinglet::formats::checksum_of({bytes, size_t{header} + 4});
  std::memcpy(bytes + 4 + header, &checksum, sizeof checksum);
}

void score_something(const kinglet::Model& model) {
  kinglet::Session session(model);
  const std::vector<uint32_t> tokens = {101, 0, 1, 2, 2, 0xFFFF'FFFF, 102};
  const std::vector<double> numerics(model.numeric_count(), 3.0);
  const std::vector<uint32_t> categories(model.category_count(), 0);
  kinglet::Scores scores;
  (void)session.score({tokens, numerics, 1, categories}, scores);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::unique_ptr<std::byte, decltype(&std::free)> memory(
      static_cast<std::byte*>(std::aligned_alloc(64, (size + 63) / 64 * 64 + 64)), std::free);
  std::memcpy(memory.get(), data, size);
  seal(memory.get(), size);
  try {
    const kinglet::Model model = kinglet::Model::from_memory({memory.get(), size}, "fuzz");
    score_something(model);
    model.verify();
  } catch (const kinglet::Error&) {  // refused: as it should be
  }
  return 0;
}
