// Arbitrary bytes as an .npz archive, and as an array inside archives whose checksums are right.
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
    for (const auto& [name, tensor] : checkpoint.tensors) (void)tensor.to_f64();
  } catch (const kinglet::Error&) {  // refused: as it should be
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  using kinglet::test::ZipMethod;
  for (const ZipMethod method : {ZipMethod::stored, ZipMethod::deflated}) {
    kinglet::test::ZipWriter zip;
    zip.add("a.npy", bytes, method);
    read(zip.finish());
  }
  // As deflated data themselves: whatever they inflate to, it is neither more nor less than stated.
  kinglet::test::ZipWriter::Entry entry;
  entry.name = entry.local_name = "a.npy";
  entry.data = bytes;
  entry.method = ZipMethod::deflated;
  entry.stored_size = size;
  entry.size = 128;
  kinglet::test::ZipWriter zip;
  zip.add_raw(entry);
  read(zip.finish());
  return 0;
}
