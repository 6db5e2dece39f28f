#include "converter/checkpoint_bytes.h"
#include "support/checkpoint_writer.h"
#include "support/support.h"

namespace {

using kinglet::test::checkpoint_of;
using kinglet::test::error_of;
using kinglet::test::npy_bytes;
using kinglet::test::ZipMethod;
using kinglet::test::ZipWriter;

constexpr uint16_t kDescriptorFlag = 8;

std::string array(size_t bytes = 16) {
  return npy_bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (" + std::to_string(bytes) + ",)}\n",
                   std::string(bytes, 'x'));
}

std::string refusal(const ZipWriter& zip) {
  return error_of([&] { checkpoint_of(zip.finish()); });
}

bool says(const std::string& message, std::string_view words) {
  return message.find(words) != std::string::npos;
}

// One stored array with one thing wrong in what is said of it, here and in the local header alike.
template <typename Change>
std::string refusal_of(Change change, ZipMethod method = ZipMethod::stored) {
  ZipWriter source;
  ZipWriter::Entry entry = source.add("a.npy", array(), method);
  change(entry);
  ZipWriter zip;
  zip.add_raw(entry);
  return refusal(zip);
}

}  // namespace

TEST_CASE("stored and deflated entries, zip64 and data descriptors are read") {
  for (const bool zip64 : {false, true}) {
    for (const uint16_t flags : {uint16_t{0}, kDescriptorFlag}) {
      ZipWriter source;
      source.add("a.npy", array());
      source.add("b.npy", array(100'000), ZipMethod::deflated);
      ZipWriter zip;
      for (auto entry : source.entries()) {
        entry.flags = flags;
        zip.add_raw(entry);
      }
      const auto tensors = checkpoint_of(zip.finish(zip64)).tensors;
      CHECK(tensors.at("a").bytes.size() == 16);
      CHECK(tensors.at("b").bytes == std::vector<std::byte>(100'000, std::byte{'x'}));
    }
  }
}

TEST_CASE("an entry's wrong checksum, size or method is refused by name") {
  CHECK(says(refusal_of([](auto& entry) { entry.crc ^= 1; }), "\"a.npy\": its checksum"));
  CHECK(
      says(refusal_of([](auto& entry) { entry.crc ^= 1; }, ZipMethod::deflated), "\"a.npy\": its checksum"));
  CHECK(says(refusal_of([](auto& entry) { ++entry.size; }), "two sizes differ"));
  CHECK(says(refusal_of([](auto& entry) { entry.size += 9; }, ZipMethod::deflated),
             "expected exactly the bytes"));
  CHECK(says(refusal_of([](auto& entry) { entry.flags = 1; }), "encrypted"));
  CHECK(says(refusal_of([](auto& entry) { entry.flags = 1U << 13U; }), "unsupported zip flags"));
  CHECK(says(refusal_of([](auto& entry) { entry.method = static_cast<ZipMethod>(12); }), "got method 12"));
  CHECK(
      says(refusal_of([](auto& entry) { entry.local_name = "b.npy"; }), "contradicts the central directory"));
  CHECK(
      says(refusal_of([](auto& entry) { entry.name = entry.local_name = std::string("a\0b", 3); }), "UTF-8"));
  CHECK(says(refusal_of([](auto& entry) { entry.name = entry.local_name = "\xff.npy"; }), "\\xff"));
  CHECK(says(refusal_of([](auto& entry) { entry.size = entry.stored_size = 1U << 30U; }), "more bytes"));
}

TEST_CASE("deflated data that end early, late or not at all are refused") {
  const auto with_data = [](const std::string& data, uint64_t size, uint32_t crc) {
    return refusal_of(
        [&](auto& entry) {
          entry.data = data;
          entry.stored_size = data.size();
          entry.size = size;
          entry.crc = crc;
        },
        ZipMethod::deflated);
  };
  const std::string bytes = array();
  const std::string good = kinglet::test::deflated(bytes);
  const uint32_t crc = kinglet::test::crc32_of(bytes);
  CHECK(says(with_data(good + "x", bytes.size(), crc), "do not end where stated"));
  CHECK(says(with_data(good.substr(0, good.size() - 1), bytes.size(), crc), "deflated data"));
  CHECK(says(with_data("", bytes.size(), crc), "damaged or shorter"));
  CHECK(says(with_data("\xff\xff\xff", bytes.size(), crc), "damaged or shorter"));
  // A longer stream behind a header that asks for less.
  const std::string shorter = array(8) + "12345678";
  const std::string header_only = array(8);
  CHECK(says(
      with_data(kinglet::test::deflated(shorter), header_only.size(), kinglet::test::crc32_of(header_only)),
      "do not end where stated"));
}

TEST_CASE("two entries of one name are refused") {
  ZipWriter zip;
  zip.add("a.npy", array());
  zip.add("a.npy", array());
  CHECK(says(refusal(zip), "\"a.npy\": two entries have this name"));
}

TEST_CASE("an entry inside another's data is refused") {
  ZipWriter inner;
  const auto entry = inner.add("inner.npy", array());
  const std::string local = inner.finish().substr(0, 30 + entry.name.size() + entry.data.size());
  ZipWriter zip;
  zip.add("outer.bin", local);
  auto hidden = entry;
  hidden.local_offset = 30 + std::string_view("outer.bin").size();
  zip.entries().push_back(hidden);
  CHECK(says(refusal(zip), "\"outer.bin\": overlaps another entry"));
}

TEST_CASE("offsets beyond the file, into the directory or onto no header are refused") {
  for (const uint64_t offset : {uint64_t{1}, uint64_t{200}, uint64_t{1} << 31U, ~uint64_t{0} - 8}) {
    for (const bool zip64 : {false, true}) {
      ZipWriter zip;
      zip.add("a.npy", array());
      zip.entries()[0].local_offset = offset;
      CHECK_THROWS(checkpoint_of(zip.finish(zip64)));
    }
  }
}

TEST_CASE("more entries than the directory holds, other disks and trailing bytes are refused") {
  ZipWriter zip;
  zip.add("a.npy", array());
  const std::string good = zip.finish();
  const size_t end = good.size() - 22;
  std::string many = good;
  many[end + 8] = many[end + 10] = 9;
  CHECK(says(error_of([&] { checkpoint_of(many); }), "9 entries do not fit"));
  std::string disk = good;
  disk[end + 4] = 1;
  CHECK(says(error_of([&] { checkpoint_of(disk); }), "one disk"));
  CHECK(says(error_of([&] { checkpoint_of(good + "x"); }), "end record"));
  std::string fewer = good;
  fewer[end + 8] = fewer[end + 10] = 0;
  CHECK(says(error_of([&] { checkpoint_of(fewer); }), "expected the end of the central directory"));
}

TEST_CASE("zip bombs are refused before anything is inflated") {
  ZipWriter zip;
  const std::string zeros(size_t{48} << 20U, '\0');
  zip.add("a.npy", zeros, ZipMethod::deflated);
  CHECK(says(refusal(zip), "implausible"));
  ZipWriter many;
  const std::string part(size_t{1} << 20U, '\0');
  for (int index = 0; index < 48; ++index)
    many.add(std::to_string(index) + ".npy", part, ZipMethod::deflated);
  CHECK(says(refusal(many), "implausible"));
}

TEST_CASE("a zip of something else is refused") {
  ZipWriter zip;
  zip.add("readme.txt", "hello");
  CHECK(says(refusal(zip), "neither torch.save's"));
  CHECK(says(error_of([] { checkpoint_of(ZipWriter().finish()); }), "expected a checkpoint"));
}
