#include "kinglet/formats/history_file.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "kinglet/formats/error.h"

#include "history_layout.h"

namespace kinglet::formats {
namespace {

using namespace history_layout;

[[noreturn]] void refuse(const MappedFile& file, std::string_view place, const std::string& message) {
  throw Error(file.path(), place, message);
}

Header checked_header(const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  Header header;
  if (bytes.size() < sizeof header) {
    refuse(file, "header",
           "expected a history file of at least " + std::to_string(sizeof header) + " bytes, got " +
               std::to_string(bytes.size()));
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.identifier != kIdentifier)
    refuse(file, "header", "not a history file: expected the identifier KNGLHIST");
  if (header.version != kVersion) {
    refuse(file, "header",
           "format version " + std::to_string(header.version) + ", this program reads version " +
               std::to_string(kVersion));
  }
  if (header.header_bytes != sizeof header) refuse(file, "header", "expected a header of 512 bytes");
  if (header.checksum != header_checksum(header))
    refuse(file, "header", "the checksum differs: the file is damaged");
  if (header.file_bytes != bytes.size()) {
    refuse(file, "header",
           "expected a file of " + std::to_string(header.file_bytes) + " bytes, got " +
               std::to_string(bytes.size()));
  }
  return header;
}

/// Sections follow each other without holes, so that none overlaps another or ends beyond the file.
void check_sections(const MappedFile& file, const Header& header) {
  uint64_t end = sizeof header;
  for (size_t s = 0; s < kSections; ++s) {
    const SectionRecord& section = header.sections[s];
    if (section.offset != aligned(end) || section.length > file.bytes().size() - section.offset) {
      refuse(file, kSectionNames[s], "the section's offset or length does not fit the file");
    }
    end = section.offset + section.length;
    if (aligned(end) > file.bytes().size())
      refuse(file, kSectionNames[s], "the section ends beyond the file");
  }
  if (aligned(end) != file.bytes().size()) refuse(file, "header", "bytes after the last section");
}

void check_table(const MappedFile& file, const Header& header, size_t t) {
  const TableRecord& table = header.tables[t];
  const TableSections& names = kTableSections[t];
  const auto length = [&](Section section) { return header.sections[static_cast<size_t>(section)].length; };
  const auto name = [&](Section section) { return kSectionNames[static_cast<size_t>(section)]; };
  if (table.segment_bits > FingerprintTable::kMaxSegmentBits) {
    refuse(file, name(names.buckets), "expected at most 14 segment bits");
  }
  // At most 2^32 x 2^14 x 2^6 bytes: no overflow.
  const uint64_t bucket_bytes =
      (uint64_t{table.buckets_per_segment} << table.segment_bits) * FingerprintTable::kBucketBytes;
  if (length(names.buckets) != bucket_bytes) {
    refuse(file, name(names.buckets), "the section's length does not match the table's shape");
  }
  if (length(names.stash) % sizeof(FingerprintTable::StashEntry) != 0 ||
      (table.buckets_per_segment == 0 && length(names.stash) != 0)) {
    refuse(file, name(names.stash), "expected whole entries of 16 bytes");
  }
  const size_t entry_bytes =
      t == static_cast<size_t>(HistoryTable::similar) ? sizeof(SimilarAuthor) : sizeof(LargeCounts);
  if (length(names.extra) % entry_bytes != 0) {
    refuse(file, name(names.extra), "expected whole entries of " + std::to_string(entry_bytes) + " bytes");
  }
}

/// Reads every byte: section checksums, and zeros between the sections.
void check_contents(const MappedFile& file, const Header& header) {
  const std::byte* data = file.bytes().data();
  for (size_t s = 0; s < kSections; ++s) {
    const SectionRecord& section = header.sections[s];
    const uint64_t end = section.offset + section.length;
    if (canonical(XXH3_128bits(data + section.offset, section.length)) != section.checksum) {
      refuse(file, kSectionNames[s], "the checksum differs: the file is damaged");
    }
    const bool padded =
        std::all_of(data + end, data + aligned(end), [](std::byte b) { return b == std::byte{0}; });
    if (!padded) refuse(file, kSectionNames[s], "expected zeros after the section");
  }
}

}  // namespace

HistoryFile::HistoryFile(const std::filesystem::path& path, Verify verify) : file_(path) {
  const Header header = checked_header(file_);
  check_sections(file_, header);
  for (size_t t = 0; t < kHistoryTables; ++t) check_table(file_, header, t);
  if (verify == Verify::full) check_contents(file_, header);

  const std::byte* data = file_.bytes().data();
  for (size_t t = 0; t < kHistoryTables; ++t) {
    const auto section = [&](Section name) -> const SectionRecord& {
      return header.sections[static_cast<size_t>(name)];
    };
    const TableRecord& table = header.tables[t];
    const SectionRecord& stash = section(kTableSections[t].stash);
    const SectionRecord& extra = section(kTableSections[t].extra);
    tables_[t] = FingerprintTable(
        {table.segment_bits, table.buckets_per_segment, stash.length / sizeof(FingerprintTable::StashEntry)},
        data + section(kTableSections[t].buckets).offset, data + stash.offset);
    const bool similar = t == static_cast<size_t>(HistoryTable::similar);
    extra_[t] = {data + extra.offset, extra.length / (similar ? sizeof(SimilarAuthor) : sizeof(LargeCounts))};
    keys_[t] = table.keys;
  }
  info_ = {header.holdout_every, header.train_rows,        header.valid_rows,
           header.held_out_rows, header.train_fingerprint, header.valid_fingerprint};
}

Counts HistoryFile::large_counts(HistoryPart part, uint64_t packed) const noexcept {
  const Extra& extra = extra_[static_cast<size_t>(part)];
  const uint64_t index = packed & ~PackedCounts::kLarge;
  Counts counts;
  if (index >= extra.entries) return counts;
  LargeCounts large;
  std::memcpy(&large, extra.data + index * sizeof large, sizeof large);
  std::copy_n(large.counts.begin(), kReactions, counts.reacted.begin());
  counts.none = large.counts[kReactions];
  return counts;
}

std::span<const SimilarAuthor> HistoryFile::similar_authors(Fingerprint author) const noexcept {
  const FingerprintTable& table = tables_[static_cast<size_t>(HistoryTable::similar)];
  const Extra& extra = extra_[static_cast<size_t>(HistoryTable::similar)];
  const uint64_t value = table.read(author, table.locate(author));
  const uint64_t first = value >> kSimilarCountBits;
  const uint64_t count = value & ((1U << kSimilarCountBits) - 1);
  if (count > kMaxSimilarAuthors || first > extra.entries || count > extra.entries - first) return {};
  // The section starts at a multiple of 64 bytes and the mapping at a page: the entries are aligned.
  return {reinterpret_cast<const SimilarAuthor*>(extra.data + first * sizeof(SimilarAuthor)), count};
}

}  // namespace kinglet::formats
