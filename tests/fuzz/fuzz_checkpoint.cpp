// Arbitrary bytes as a checkpoint of any format, and as the pickle inside a torch zip whose checksums are
// right, so that the fuzzer reaches what lies behind them.
#include <cstdint>
#include <span>
#include <string>

#include "kinglet/converter/tensors.h"
#include "kinglet/formats/error.h"

#include "support/checkpoint_writer.h"

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
  using kinglet::test::ZipMethod;
  kinglet::test::ZipWriter zip;
  zip.add("net/data.pkl", bytes);
  zip.add("net/data/0", std::string(24, '\1'));
  zip.add("net/data/1", std::string(16, '\2'), ZipMethod::deflated);
  read(zip.finish());
  return 0;
}
