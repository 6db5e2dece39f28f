#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "src/zip.h"

namespace kinglet::converter {
namespace {

// zlib counts in 32 bits.
constexpr uint64_t kMaxSlice = uint64_t{1} << 30;

uint32_t updated_crc(uint32_t crc, std::span<const std::byte> bytes) {
  if (bytes.empty()) return crc;  // whose data may be null: to zlib, a wish for a fresh checksum
  return static_cast<uint32_t>(::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace

ZipEntryReader::ZipEntryReader(const ZipArchive& archive, const ZipEntry& entry)
    : archive_(archive), entry_(entry) {
  // Negative window bits: raw deflate, as zip holds it.
  if (entry_.deflated && ::inflateInit2(&stream_, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
}

ZipEntryReader::~ZipEntryReader() {
  if (entry_.deflated) ::inflateEnd(&stream_);
}

void ZipEntryReader::read(std::span<std::byte> out) {
  if (out.size() > remaining()) {
    archive_.fail(entry_, "expected " + std::to_string(out.size()) + " more bytes, only " +
                              std::to_string(remaining()) + " are left");
  }
  if (entry_.deflated) {
    inflate_into(out);
  } else if (!out.empty()) {
    std::memcpy(out.data(), entry_.data.data() + extracted_, out.size());
  }
  extracted_ += out.size();
  crc_ = updated_crc(crc_, out);
}

void ZipEntryReader::inflate_into(std::span<std::byte> out) {
  while (!out.empty()) {
    const auto in = entry_.data.subspan(consumed_);
    const auto in_slice = static_cast<uInt>(std::min<uint64_t>(in.size(), kMaxSlice));
    const auto out_slice = static_cast<uInt>(std::min<uint64_t>(out.size(), kMaxSlice));
    // zlib's interface is not const; it only reads what next_in points to.
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
    stream_.avail_in = in_slice;
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = out_slice;
    const int status = ::inflate(&stream_, Z_NO_FLUSH);
    consumed_ += in_slice - stream_.avail_in;
    out = out.subspan(out_slice - stream_.avail_out);
    if (status == Z_STREAM_END && out.empty()) return;
    if (status != Z_OK) archive_.fail(entry_, "its deflated data are damaged or shorter than stated");
  }
}

void ZipEntryReader::finish() {
  if (remaining() > 0) archive_.fail(entry_, std::to_string(remaining()) + " bytes too many");
  if (entry_.deflated) {
    // The stream must end exactly here: it may still hold its end mark, but no further byte of output.
    const auto in = entry_.data.subspan(consumed_);
    Bytef extra = 0;
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
    stream_.avail_in = static_cast<uInt>(std::min<uint64_t>(in.size(), kMaxSlice));
    stream_.next_out = &extra;
    stream_.avail_out = 1;
    const int status = ::inflate(&stream_, Z_FINISH);
    if (status != Z_STREAM_END || stream_.avail_out == 0 || stream_.total_in != entry_.data.size()) {
      archive_.fail(entry_, "its deflated data do not end where stated");
    }
  }
  if (crc_ != entry_.crc) archive_.fail(entry_, "its checksum (CRC-32) does not match its bytes");
}

ZipEntryBytes::ZipEntryBytes(const ZipArchive& archive, const ZipEntry& entry) {
  if (!entry.deflated) {
    stored_ = entry.data;
    if (updated_crc(0, stored_) != entry.crc) {
      archive.fail(entry, "its checksum (CRC-32) does not match its bytes");
    }
    return;
  }
  inflated_.resize(entry.size);
  ZipEntryReader reader(archive, entry);
  reader.read(inflated_);
  reader.finish();
}

}  // namespace kinglet::converter
