// Arbitrary bytes as a model file: the input is the header; zeros stand for the tensors, as many as the
// header asks for (to 4 MiB), and the header's checksum is made right, so that the fuzzer reaches what lies
// behind. What opens is scored with.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "kinglet/formats/error.h"
#include "kinglet/session.h"

namespace {

constexpr size_t kLargestFile = size_t{1} << 22;

void seal(std::byte* bytes, size_t size) {
  uint32_t header = 0;
  std::memcpy(&header, bytes, sizeof header);
  if (uint64_t{header} + 4 + sizeof(kinglet::formats::Checksum) > size) return;
  const auto checksum = kinglet::formats::checksum_of({bytes, size_t{header} + 4});
  std::memcpy(bytes + 4 + header, &checksum, sizeof checksum);
}

size_t stated_length(const uint8_t* data, size_t size) {
  flatbuffers::Verifier verifier(data, size, 16, 10'000);
  if (size < 16 || !kinglet::fbs::VerifySizePrefixedModelBuffer(verifier)) return size;
  const uint64_t length = kinglet::fbs::GetSizePrefixedModel(data)->file_length();
  return length > size && length <= kLargestFile ? length : size;
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
  const size_t length = stated_length(data, size);
  const std::unique_ptr<std::byte, decltype(&std::free)> memory(
      static_cast<std::byte*>(std::aligned_alloc(64, (length + 127) / 64 * 64)), std::free);
  std::memset(memory.get(), 0, length + 4);
  std::memcpy(memory.get(), data, size);
  seal(memory.get(), length + 4);
  try {
    const kinglet::Model model = kinglet::Model::from_memory({memory.get(), length}, "fuzz");
    score_something(model);
    model.verify();
  } catch (const kinglet::Error&) {  // refused: as it should be
  }
  return 0;
}
