#include "src/zip.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "kinglet/formats/error.h"

#include "src/byte_cursor.h"
#include "src/limits.h"
#include "src/text.h"

namespace kinglet::converter {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kZip64EndSignature = 0x06064b50;
constexpr uint32_t kZip64LocatorSignature = 0x07064b50;

constexpr uint64_t kEndBytes = 22;
constexpr uint64_t kZip64LocatorBytes = 20;
constexpr uint64_t kZip64EndBytes = 56;
constexpr uint64_t kCentralBytes = 46;
constexpr uint64_t kMaxComment = 0xFFFF;

// A field holding all ones says "see the zip64 field".
constexpr uint16_t kIn64Short = 0xFFFF;
constexpr uint32_t kIn64 = 0xFFFF'FFFF;
constexpr uint16_t kZip64ExtraId = 1;

constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;
constexpr uint16_t kEncryptedFlag = 1U << 0U;
constexpr uint16_t kDescriptorFlag = 1U << 3U;
// Deflate's level (1, 2), a data descriptor (3) and UTF-8 names (11) change nothing for a reader of the
// directory.
constexpr uint16_t kHarmlessFlags = (1U << 1U) | (1U << 2U) | kDescriptorFlag | (1U << 11U);

struct Directory {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t entries = 0;
  uint64_t end = 0;  // where the directory must end: at the first of the end records
};

struct CentralHeader {
  uint16_t flags = 0;
  uint16_t method = 0;
  uint32_t crc = 0;
  uint64_t stored_size = 0;
  uint64_t size = 0;
  uint64_t local_offset = 0;
  std::string_view name;
};

uint64_t find_end_record(std::span<const std::byte> bytes, std::string_view file) {
  if (bytes.size() >= kEndBytes) {
    const uint64_t last = bytes.size() - kEndBytes;
    const uint64_t first = last > kMaxComment ? last - kMaxComment : 0;
    for (uint64_t offset = last + 1; offset-- > first;) {
      ByteCursor cursor(bytes, file, offset);
      if (cursor.read<uint32_t>() != kEndSignature) continue;
      cursor.seek(offset + kEndBytes - 2);
      if (cursor.read<uint16_t>() == last - offset) return offset;
    }
  }
  throw Error(file, "", "expected a zip archive's end record within the last 64 KiB: is the file truncated?");
}

void require_one_disk(const ByteCursor& cursor, bool one) {
  if (!one) cursor.fail("expected an archive on one disk");
}

Directory read_zip64_end(std::span<const std::byte> bytes, std::string_view file, uint64_t locator_offset) {
  ByteCursor locator(bytes, file, locator_offset + 4);
  const auto end_disk = locator.read<uint32_t>();
  const auto offset = locator.read<uint64_t>();
  const auto disks = locator.read<uint32_t>();
  require_one_disk(locator, end_disk == 0 && disks <= 1);

  ByteCursor cursor(bytes, file, offset);
  if (cursor.read<uint32_t>() != kZip64EndSignature) cursor.fail_at(offset, "expected the zip64 end record");
  const auto rest = cursor.read<uint64_t>();
  if (offset > locator_offset || rest != locator_offset - offset - 12 || rest < kZip64EndBytes - 12) {
    cursor.fail_at(offset, "expected the zip64 end record to reach its locator");
  }
  cursor.take(4);  // versions
  const auto disk = cursor.read<uint32_t>();
  const auto directory_disk = cursor.read<uint32_t>();
  const auto entries_here = cursor.read<uint64_t>();
  Directory directory;
  directory.entries = cursor.read<uint64_t>();
  directory.bytes = cursor.read<uint64_t>();
  directory.offset = cursor.read<uint64_t>();
  directory.end = offset;
  require_one_disk(cursor, disk == 0 && directory_disk == 0 && entries_here == directory.entries);
  return directory;
}

Directory read_end_records(std::span<const std::byte> bytes, std::string_view file) {
  const uint64_t offset = find_end_record(bytes, file);
  ByteCursor cursor(bytes, file, offset + 4);
  const auto disk = cursor.read<uint16_t>();
  const auto directory_disk = cursor.read<uint16_t>();
  const auto entries_here = cursor.read<uint16_t>();
  const auto entries = cursor.read<uint16_t>();
  const auto directory_bytes = cursor.read<uint32_t>();
  const auto directory_offset = cursor.read<uint32_t>();
  require_one_disk(cursor, disk == 0 && directory_disk == 0 && entries_here == entries);

  const bool has_locator =
      offset >= kZip64LocatorBytes &&
      ByteCursor(bytes, file, offset - kZip64LocatorBytes).read<uint32_t>() == kZip64LocatorSignature;
  if (!has_locator) return {directory_offset, directory_bytes, entries, offset};

  const Directory directory = read_zip64_end(bytes, file, offset - kZip64LocatorBytes);
  if ((entries != kIn64Short && entries != directory.entries) ||
      (directory_bytes != kIn64 && directory_bytes != directory.bytes) ||
      (directory_offset != kIn64 && directory_offset != directory.offset)) {
    cursor.fail_at(offset, "the end record contradicts the zip64 end record");
  }
  return directory;
}

Directory find_directory(std::span<const std::byte> bytes, std::string_view file) {
  const Directory directory = read_end_records(bytes, file);
  if (directory.offset > directory.end || directory.bytes != directory.end - directory.offset) {
    throw Error(file, "byte " + std::to_string(directory.end),
                "expected the central directory to lie inside the file and to end at this record");
  }
  if (directory.entries > directory.bytes / kCentralBytes) {
    throw Error(file, "byte " + std::to_string(directory.end),
                std::to_string(directory.entries) + " entries do not fit into the central directory");
  }
  return directory;
}

// The zip64 field holds only those values whose short form is all ones, in this order.
void apply_zip64_extra(std::span<const std::byte> extra, std::string_view place, CentralHeader& header) {
  ByteCursor cursor(extra, place);
  while (cursor.remaining() > 0) {
    const auto id = cursor.read<uint16_t>();
    const auto field = cursor.take(cursor.read<uint16_t>());
    if (id != kZip64ExtraId) continue;
    ByteCursor values(field, place);
    for (uint64_t* value : {&header.size, &header.stored_size, &header.local_offset}) {
      if (*value == kIn64) *value = values.read<uint64_t>();
    }
    return;
  }
}

CentralHeader read_central_header(ByteCursor& cursor, std::string_view file) {
  if (cursor.read<uint32_t>() != kCentralSignature) {
    cursor.fail_at(cursor.offset() - 4, "expected an entry of the central directory");
  }
  CentralHeader header;
  cursor.take(4);  // versions
  header.flags = cursor.read<uint16_t>();
  header.method = cursor.read<uint16_t>();
  cursor.take(4);  // time and date
  header.crc = cursor.read<uint32_t>();
  header.stored_size = cursor.read<uint32_t>();
  header.size = cursor.read<uint32_t>();
  const auto name_bytes = cursor.read<uint16_t>();
  const auto extra_bytes = cursor.read<uint16_t>();
  const auto comment_bytes = cursor.read<uint16_t>();
  const auto disk = cursor.read<uint16_t>();
  cursor.take(6);  // attributes
  header.local_offset = cursor.read<uint32_t>();
  require_one_disk(cursor, disk == 0);
  header.name = cursor.take_text(name_bytes);
  const auto extra = cursor.take(extra_bytes);
  cursor.take(comment_bytes);
  if (header.name.empty() || header.name.find('\0') != std::string_view::npos || !is_utf8(header.name)) {
    throw Error(file, in_quotes(header.name), "expected an entry's name in UTF-8");
  }
  apply_zip64_extra(extra, std::string(file) + ": extra field of " + in_quotes(header.name), header);
  return header;
}

[[noreturn]] void refuse(std::string_view file, const CentralHeader& header, std::string_view message) {
  throw Error(file, in_quotes(header.name), message);
}

void check_supported(std::string_view file, const CentralHeader& header) {
  if ((header.flags & kEncryptedFlag) != 0) refuse(file, header, "encrypted entries are not supported");
  if ((header.flags & ~kHarmlessFlags) != 0) {
    refuse(file, header, "unsupported zip flags " + std::to_string(header.flags));
  }
  if (header.method != kStored && header.method != kDeflated) {
    refuse(file, header, "expected a stored or deflated entry, got method " + std::to_string(header.method));
  }
  if (header.method == kStored && header.size != header.stored_size) {
    refuse(file, header, "a stored entry whose two sizes differ");
  }
}

// The entry's data, after its local header. With a data descriptor the local header holds no sizes (they
// follow the data, and the directory repeats them); all ones point to its own zip64 field, which the
// directory repeats as well.
std::span<const std::byte> locate_data(std::span<const std::byte> bytes, std::string_view file,
                                       const CentralHeader& header) {
  ByteCursor cursor(bytes, file, header.local_offset);
  if (cursor.read<uint32_t>() != kLocalSignature) {
    cursor.fail_at(header.local_offset, "expected the local header of " + in_quotes(header.name));
  }
  cursor.take(2);  // version
  const auto flags = cursor.read<uint16_t>();
  const auto method = cursor.read<uint16_t>();
  cursor.take(4);  // time and date
  const auto crc = cursor.read<uint32_t>();
  const auto stored_size = cursor.read<uint32_t>();
  const auto size = cursor.read<uint32_t>();
  const auto name_bytes = cursor.read<uint16_t>();
  const auto extra_bytes = cursor.read<uint16_t>();
  const bool same_name = cursor.take_text(name_bytes) == header.name;
  const bool same_sizes = (flags & kDescriptorFlag) != 0 ||
                          (crc == header.crc && (stored_size == kIn64 || stored_size == header.stored_size) &&
                           (size == kIn64 || size == header.size));
  if (!same_name || flags != header.flags || method != header.method || !same_sizes) {
    refuse(file, header, "its local header contradicts the central directory");
  }
  cursor.take(extra_bytes);
  return cursor.take(header.stored_size);
}

// Where an entry lies, its local header included.
struct Extent {
  uint64_t begin = 0;
  uint64_t end = 0;
  std::string_view name;
};

void check_apart(std::vector<Extent> extents, std::string_view file) {
  std::sort(extents.begin(), extents.end(),
            [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  const auto overlap = std::adjacent_find(extents.begin(), extents.end(),
                                          [](const Extent& a, const Extent& b) { return a.end > b.begin; });
  if (overlap != extents.end()) throw Error(file, in_quotes(overlap->name), "overlaps another entry");
}

}  // namespace

ZipArchive::ZipArchive(std::span<const std::byte> bytes, std::string file)
    : file_(std::move(file)), file_bytes_(bytes.size()) {
  const Directory directory = find_directory(bytes, file_);
  // Entries are looked for only before the directory, so none can overlap it.
  const auto before_directory = bytes.first(directory.offset);
  ByteCursor cursor(bytes.first(directory.end), file_, directory.offset);
  entries_.reserve(directory.entries);
  std::vector<Extent> extents;
  extents.reserve(directory.entries);
  for (uint64_t index = 0; index < directory.entries; ++index) {
    const CentralHeader header = read_central_header(cursor, file_);
    check_supported(file_, header);
    const auto data = locate_data(before_directory, file_, header);
    entries_.push_back({header.name, data, header.size, header.crc, header.method == kDeflated});
    const auto end = static_cast<uint64_t>(data.data() - bytes.data()) + data.size();
    extents.push_back({header.local_offset, end, header.name});
  }
  if (cursor.remaining() != 0) cursor.fail("expected the end of the central directory");
  index_names();
  check_apart(std::move(extents), file_);
  check_inflated_size();
}

void ZipArchive::index_names() {
  by_name_.resize(entries_.size());
  std::iota(by_name_.begin(), by_name_.end(), 0U);
  std::sort(by_name_.begin(), by_name_.end(),
            [this](uint32_t a, uint32_t b) { return entries_[a].name < entries_[b].name; });
  const auto same = std::adjacent_find(by_name_.begin(), by_name_.end(), [this](uint32_t a, uint32_t b) {
    return entries_[a].name == entries_[b].name;
  });
  if (same != by_name_.end()) fail(entries_[*same], "two entries have this name");
}

void ZipArchive::check_inflated_size() const {
  DecodeBudget budget(file_bytes_);
  for (const ZipEntry& entry : entries_) {
    if (entry.deflated && !budget.take(entry.size)) {
      fail(entry, "the entries up to this one inflate beyond " +
                      std::to_string(max_decoded_bytes(file_bytes_)) + " bytes, implausible for a file of " +
                      std::to_string(file_bytes_));
    }
  }
}

const ZipEntry* ZipArchive::find(std::string_view name) const noexcept {
  const auto found = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [this](uint32_t index, std::string_view wanted) { return entries_[index].name < wanted; });
  return found != by_name_.end() && entries_[*found].name == name ? &entries_[*found] : nullptr;
}

void ZipArchive::fail(const ZipEntry& entry, std::string_view message) const {
  throw Error(file_, in_quotes(entry.name), message);
}

}  // namespace kinglet::converter
