// A file of 1 MiB never makes a reader use more than 64 MiB, whatever it says: every allocation of this
// program is counted while hostile files of that size are read.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include <malloc.h>

#include "kinglet/converter/vocabulary.h"
#include "kinglet/formats/error.h"

#include "converter/checkpoint_bytes.h"
#include "support/checkpoint_writer.h"
#include "support/support.h"

namespace {

std::atomic<size_t> allocated{0};
std::atomic<size_t> allocated_peak{0};

void* counted(size_t size, const std::nothrow_t& /*nothrow*/) noexcept {
  void* memory = std::malloc(size);
  const size_t now = allocated += ::malloc_usable_size(memory);
  if (now > allocated_peak) allocated_peak = now;
  return memory;
}

void* counted(size_t size) {
  void* memory = counted(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void discounted(void* memory) {
  if (memory != nullptr) allocated -= ::malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(size_t size) {
  return counted(size);
}
void* operator new[](size_t size) {
  return counted(size);
}
void* operator new(size_t size, const std::nothrow_t& nothrow) noexcept {
  return counted(size, nothrow);
}
void* operator new[](size_t size, const std::nothrow_t& nothrow) noexcept {
  return counted(size, nothrow);
}
void operator delete(void* memory) noexcept {
  discounted(memory);
}
void operator delete[](void* memory) noexcept {
  discounted(memory);
}
void operator delete(void* memory, size_t /*size*/) noexcept {
  discounted(memory);
}
void operator delete[](void* memory, size_t /*size*/) noexcept {
  discounted(memory);
}

namespace {

using namespace kinglet::converter;
using kinglet::test::exact_bytes;
using kinglet::test::npy_bytes;
using kinglet::test::PickleWriter;
using kinglet::test::ZipMethod;
using kinglet::test::ZipWriter;

constexpr size_t kFileBytes = size_t{1} << 20U;
constexpr size_t kMemoryLimit = size_t{64} << 20U;

std::string repeated(std::string_view piece, size_t bytes) {
  std::string text;
  while (text.size() + piece.size() <= bytes) text += piece;
  return text;
}

std::string padded(std::string bytes) {
  bytes.resize(std::max(bytes.size(), kFileBytes), ' ');
  return bytes;
}

// Bytes beyond those of the file that reading it took at most. The reader may refuse the file or accept it.
template <typename Read>
size_t peak_of(const std::string& file, Read read) {
  REQUIRE(file.size() <= kFileBytes);
  const auto bytes = exact_bytes(file);
  const size_t before = allocated;
  allocated_peak = before;
  try {
    read(bytes);
  } catch (const kinglet::Error&) {  // as good as accepting it
  }
  return allocated_peak - before;
}

size_t checkpoint_peak(const std::string& file) {
  return peak_of(file, [](const auto& bytes) { read_checkpoint(bytes, "net"); });
}
size_t codebook_peak(const std::string& file) {
  return peak_of(file, [](const auto& bytes) { read_codebook(bytes, "codes"); });
}
size_t languages_peak(const std::string& file) {
  return peak_of(file, [](const auto& bytes) { read_languages(bytes, "languages"); });
}

// Random bytes do not deflate: they bring a small archive to the size that its budget is computed from.
std::string noise(size_t bytes) {
  std::string text(bytes, '\0');
  uint32_t state = 1;
  for (char& letter : text) {
    state = state * 1'664'525 + 1'013'904'223;
    letter = static_cast<char>(state >> 24U);
  }
  return text;
}

constexpr uint64_t kInflatedLimit = (uint64_t{16} << 20U) + 24 * (kFileBytes - 65'536);

}  // namespace

TEST_CASE("pickles of a million opcodes stay below 64 MiB") {
  using namespace std::string_view_literals;
  for (const std::string_view piece : {"]"sv, "}"sv, "N"sv, "("sv, ")"sv, "K\x01"sv, "N\x85"sv, "\x85"sv,
                                       "]Na"sv, "N\x94"sv, "Nr\xff\xff\x03\x00"sv, "\x8c\x00"sv,
                                       "]N\x94"
                                       "a"sv,
                                       "(N"sv, "Nq\x00h\x00\x86"sv}) {
    CAPTURE(piece.size());
    const std::string opcodes = "N" + repeated(piece, kFileBytes - 1024);
    CHECK(languages_peak("\x80\x02" + opcodes) < kMemoryLimit);
    ZipWriter zip;
    zip.add("net/data.pkl", "\x80\x02" + opcodes);
    CHECK(checkpoint_peak(zip.finish()) < kMemoryLimit);
    ZipWriter bomb;
    bomb.add("net/data.pkl", "\x80\x02N" + repeated(piece, size_t{8} << 20U), ZipMethod::deflated);
    CHECK(checkpoint_peak(bomb.finish()) < kMemoryLimit);
  }
}

TEST_CASE("a dict of as many keys, and one long key used again and again, stay below 64 MiB") {
  std::string keys;
  for (int index = 0; keys.size() < kFileBytes - 4096; ++index) {
    keys += PickleWriter().text(std::to_string(index)).finish().substr(2);
    keys.back() = 'N';
  }
  ZipWriter zip;
  zip.add("net/data.pkl", PickleWriter().raw("}(").raw(keys).raw("u").finish());
  CHECK(checkpoint_peak(zip.finish()) < kMemoryLimit);
  const std::string again = repeated(std::string("h\0N", 3), 300'000);
  ZipWriter shared;
  shared.add("net/data.pkl", PickleWriter()
                                 .raw("}(")
                                 .text(std::string(700'000, 'k'))
                                 .raw(std::string("q\0N", 3))
                                 .raw(again)
                                 .raw("u")
                                 .finish());
  CHECK(checkpoint_peak(shared.finish()) < kMemoryLimit);
}

TEST_CASE("tensors that share one inflated storage stay below 64 MiB") {
  constexpr uint64_t storage_floats = kInflatedLimit / 8;
  PickleWriter pickle;
  pickle.raw("}(");
  for (int index = 0; index < 1000; ++index) {
    pickle.text(std::to_string(index));
    pickle.tensor({.storage_elements = storage_floats, .shape = {1024, 1024}, .strides = {0, 1}});
  }
  ZipWriter zip;
  zip.add("net/data.pkl", pickle.raw("u").finish(), ZipMethod::deflated);
  zip.add("net/data/0", std::string(storage_floats * 4, '\0'), ZipMethod::deflated);
  zip.add("net/noise", noise(kFileBytes - 80'000));
  const size_t peak = checkpoint_peak(zip.finish());
  CHECK(peak < kMemoryLimit);
  CHECK(peak > storage_floats * 4);  // it did inflate the storage
}

TEST_CASE("thousands of tensors stay below 64 MiB") {
  PickleWriter pickle;
  pickle.raw("}(");
  for (int index = 0; index < 8192; ++index) {
    pickle.text(std::to_string(index))
        .tensor({.storage_elements = 1024,
                 .shape = std::vector<uint64_t>(8, 1),
                 .strides = std::vector<uint64_t>(8, 1)});
  }
  ZipWriter zip;
  zip.add("net/data.pkl", pickle.raw("u").finish(), ZipMethod::deflated);
  zip.add("net/data/0", std::string(4096, '\0'));
  CHECK(checkpoint_peak(zip.finish()) < kMemoryLimit);
}

TEST_CASE("arrays that inflate to the limit, row- or column-major, stay below 64 MiB") {
  for (const std::string order : {"False", "True"}) {
    ZipWriter zip;
    const uint64_t rows = kInflatedLimit / 1024 - 16;
    const std::string header =
        "{'descr': '|u1', 'fortran_order': " + order + ", 'shape': (" + std::to_string(rows) + ", 1024)}\n";
    zip.add("a.npy", npy_bytes(header, std::string(rows * 1024, '\0')), ZipMethod::deflated);
    zip.add("noise", noise(kFileBytes - 60'000));
    const size_t peak = checkpoint_peak(zip.finish());
    CHECK(peak < kMemoryLimit);
    CHECK(peak > rows * 1024);  // it was accepted
  }
}

TEST_CASE("archives of nothing but directory entries or empty arrays stay below 64 MiB") {
  ZipWriter entries;
  for (int index = 0; index < 12'000; ++index) entries.add(std::to_string(index), "");
  CHECK(checkpoint_peak(entries.finish()) < kMemoryLimit);
  ZipWriter arrays;
  const std::string empty = npy_bytes("{'descr':'|u1','fortran_order':False,'shape':(0,)}", "");
  for (int index = 0; index < 6'000; ++index) arrays.add(std::to_string(index) + ".npy", empty);
  CHECK(checkpoint_peak(arrays.finish()) < kMemoryLimit);
}

TEST_CASE("safetensors headers of a megabyte stay below 64 MiB") {
  const auto peak = [](const std::string& header) {
    const uint64_t length = header.size();
    return checkpoint_peak(std::string(reinterpret_cast<const char*>(&length), 8) + header);
  };
  std::string entries = "{";
  for (int index = 0; index < 8000; ++index) {
    entries +=
        "\"" + std::to_string(index) + R"(":{"dtype":"U8","shape":[0,1,1,1,1,1,1,1],"data_offsets":[0,0]},)";
  }
  entries.back() = '}';
  CHECK(peak(entries) < kMemoryLimit);
  CHECK(peak("{\"" + std::string(kFileBytes - 100, 'a')) < kMemoryLimit);
  CHECK(peak(repeated("{\"a\":", kFileBytes - 100)) < kMemoryLimit);
  CHECK(peak("{\"__metadata__\":{" + repeated("\"\":\"\",", kFileBytes - 100)) < kMemoryLimit);
}

TEST_CASE("codebooks and languages of a megabyte stay below 64 MiB") {
  CHECK(codebook_peak(repeated("[", kFileBytes)) < kMemoryLimit);
  CHECK(codebook_peak("{\"1\":[" + repeated("0,", kFileBytes - 100)) < kMemoryLimit);
  CHECK(codebook_peak("{\"0\":[" + repeated("0,", kFileBytes - 100) + "0]}") < kMemoryLimit);
  CHECK(codebook_peak(padded(R"({"4400000":[1]})")) < kMemoryLimit);
  CHECK(codebook_peak(padded(R"({"4400000":[1]})")) > kMemoryLimit / 4);  // it was accepted
  CHECK(codebook_peak(padded(R"({"16777215":[1]})")) < kMemoryLimit / 4);
  std::string tokens = "{";
  for (int index = 0; tokens.size() < kFileBytes - 20; ++index)
    tokens += "\"" + std::to_string(index) + "\":[1],";
  tokens.back() = '}';
  CHECK(codebook_peak(tokens) < kMemoryLimit);
  std::string languages = "{";
  for (int index = 0; languages.size() < kFileBytes - 20 && index < 65'536; ++index) {
    languages += "\"" + std::to_string(index) + "\":" + std::to_string(index) + ",";
  }
  languages.back() = '}';
  CHECK(languages_peak(languages) < kMemoryLimit);
  CHECK(languages_peak("{\"" + std::string(kFileBytes - 10, 'a') + "\":1}") < kMemoryLimit);
}
