// Arbitrary bytes as a codebook and as a table of languages (JSON or a pickled dict).
#include <cstdint>
#include <span>

#include "kinglet/converter/vocabulary.h"
#include "kinglet/formats/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    (void)kinglet::converter::read_codebook(bytes, "fuzz");
  } catch (const kinglet::Error&) {  // refused: as it should be
  }
  try {
    (void)kinglet::converter::read_languages(bytes, "fuzz");
  } catch (const kinglet::Error&) {  // refused: as it should be
  }
  return 0;
}
