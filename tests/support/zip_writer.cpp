#include <cstring>
#include <stdexcept>

#include <zlib.h>

#include "support/checkpoint_writer.h"

namespace kinglet::test {
namespace {

constexpr uint16_t kDescriptorFlag = 8;

template <typename Number>
void put(std::string& bytes, Number number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

uint32_t short_form(uint64_t number, bool zip64) {
  return zip64 ? 0xFFFF'FFFFU : static_cast<uint32_t>(number);
}

void put_common(std::string& bytes, const ZipWriter::Entry& entry) {
  put<uint16_t>(bytes, 20);  // version
  put(bytes, entry.flags);
  put(bytes, static_cast<uint16_t>(entry.method));
  put<uint32_t>(bytes, 0x0021'0000);  // 1 January 1980
}

void put_central(std::string& bytes, const ZipWriter::Entry& entry, bool zip64) {
  std::string extra;
  if (zip64) {
    put<uint16_t>(extra, 1);
    put<uint16_t>(extra, 24);
    put(extra, entry.size);
    put(extra, entry.stored_size);
    put(extra, entry.local_offset);
  }
  put<uint32_t>(bytes, 0x02014b50);
  put<uint16_t>(bytes, 20);
  put_common(bytes, entry);
  put(bytes, entry.crc);
  put(bytes, short_form(entry.stored_size, zip64));
  put(bytes, short_form(entry.size, zip64));
  put(bytes, static_cast<uint16_t>(entry.name.size()));
  put(bytes, static_cast<uint16_t>(extra.size()));
  bytes.append(2 + 2 + 2 + 4, '\0');  // comment, disk, attributes
  put(bytes, short_form(entry.local_offset, zip64));
  bytes += entry.name + extra;
}

}  // namespace

std::string deflated(std::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("cannot deflate");
  }
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) throw std::runtime_error("cannot deflate");
  return out;
}

uint32_t crc32_of(std::string_view bytes) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

ZipWriter::Entry& ZipWriter::add(std::string_view name, std::string_view bytes, ZipMethod method) {
  Entry entry;
  entry.name = entry.local_name = name;
  entry.data = method == ZipMethod::deflated ? deflated(bytes) : std::string(bytes);
  entry.method = method;
  entry.size = bytes.size();
  entry.stored_size = entry.data.size();
  entry.crc = crc32_of(bytes);
  return add_raw(std::move(entry));
}

ZipWriter::Entry& ZipWriter::add_raw(Entry entry) {
  const bool descriptor = (entry.flags & kDescriptorFlag) != 0;
  entry.local_offset = bytes_.size();
  put<uint32_t>(bytes_, 0x04034b50);
  put_common(bytes_, entry);
  put(bytes_, descriptor ? 0 : entry.crc);
  put(bytes_, descriptor ? 0 : static_cast<uint32_t>(entry.stored_size));
  put(bytes_, descriptor ? 0 : static_cast<uint32_t>(entry.size));
  put(bytes_, static_cast<uint16_t>(entry.local_name.size()));
  put<uint16_t>(bytes_, 0);
  bytes_ += entry.local_name + entry.data;
  if (descriptor) {
    put<uint32_t>(bytes_, 0x08074b50);
    put(bytes_, entry.crc);
    put(bytes_, static_cast<uint32_t>(entry.stored_size));
    put(bytes_, static_cast<uint32_t>(entry.size));
  }
  entries_.push_back(std::move(entry));
  return entries_.back();
}

std::string ZipWriter::finish(bool zip64) const {
  std::string directory;
  for (const Entry& entry : entries_) put_central(directory, entry, zip64);
  std::string bytes = bytes_ + directory;
  if (zip64) {
    const uint64_t end_offset = bytes.size();
    put<uint32_t>(bytes, 0x06064b50);
    put<uint64_t>(bytes, 44);
    put<uint16_t>(bytes, 45);
    put<uint16_t>(bytes, 45);
    put<uint64_t>(bytes, 0);  // disks
    put<uint64_t>(bytes, entries_.size());
    put<uint64_t>(bytes, entries_.size());
    put<uint64_t>(bytes, directory.size());
    put<uint64_t>(bytes, bytes_.size());
    put<uint32_t>(bytes, 0x07064b50);
    put<uint32_t>(bytes, 0);
    put(bytes, end_offset);
    put<uint32_t>(bytes, 1);
  }
  const auto count = static_cast<uint16_t>(zip64 ? 0xFFFF : entries_.size());
  put<uint32_t>(bytes, 0x06054b50);
  put<uint32_t>(bytes, 0);  // disks
  put(bytes, count);
  put(bytes, count);
  put(bytes, short_form(directory.size(), zip64));
  put(bytes, short_form(bytes_.size(), zip64));
  put<uint16_t>(bytes, 0);
  return bytes;
}

}  // namespace kinglet::test
