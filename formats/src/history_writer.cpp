#include "kinglet/formats/history_writer.h"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <vector>

#include "kinglet/formats/error.h"

#include "history_layout.h"
#include "history_segment.h"

namespace kinglet::formats {
namespace {

using namespace history_layout;

constexpr uint64_t kSegmentKeys = uint64_t{1} << 16;  // about this many keys a segment: 1 MiB of buckets

/// Buckets for a load of at most 0.93 in the fullest segment. Two choices of four slots take 0.98 before they
/// fail.
uint32_t buckets_for(uint64_t keys) {
  const uint64_t slots = (keys * 100 + 92) / 93;
  return static_cast<uint32_t>((slots + FingerprintTable::kSlots - 1) / FingerprintTable::kSlots);
}

}  // namespace

unsigned history_segment_bits(uint64_t keys) noexcept {
  const auto bits = static_cast<unsigned>(std::bit_width((keys + kSegmentKeys - 1) / kSegmentKeys));
  return std::min(bits > 0 ? bits - 1 : 0, FingerprintTable::kMaxSegmentBits);
}

struct HistoryWriter::State {
  explicit State(const std::filesystem::path& path) : file(path), name(path.string()) {
    file.write(&header, sizeof header);  // its place: the checksums are known last
  }

  void begin_section(Section section) {
    end_section();
    file.pad_to(kAlignment);
    SectionRecord& record = header.sections[static_cast<size_t>(section)];
    record.offset = file.size();
    XXH3_128bits_reset(&checksum);
    current = &record;
  }

  void write(const void* data, size_t size) {
    XXH3_128bits_update(&checksum, data, size);
    file.write(data, size);
    current->length += size;
  }

  void end_section() {
    if (current != nullptr) current->checksum = canonical(XXH3_128bits_digest(&checksum));
    current = nullptr;
  }

  template <typename Entry>
  void write_section(Section section, const std::vector<Entry>& contents) {
    begin_section(section);
    if (!contents.empty()) write(contents.data(), contents.size() * sizeof(Entry));
  }

  void begin_buckets(HistoryTable table, std::span<const uint64_t> keys_per_segment);
  void add(const HistorySegment::Entry& entry);
  void write_full_segments();
  void end_table();
  void skip_to(size_t table);
  void write_similar_table();

  AtomicFile file;
  std::string name;
  Header header{};
  XXH3_state_t checksum{};
  SectionRecord* current = nullptr;

  size_t next_table = 0;           // the first one not begun
  bool open = false;               // table next_table - 1 takes entries
  std::vector<uint64_t> expected;  // keys in each of its segments
  size_t segment = 0;              // the one being gathered
  std::unique_ptr<HistorySegment> segment_builder;
  std::vector<HistorySegment::Entry> entries;
  std::vector<HistorySegment::Entry> stash;
  std::vector<LargeCounts> large;
  std::vector<HistorySegment::Entry> similar_index;
  uint64_t similar_entries = 0;
};

void HistoryWriter::State::begin_buckets(HistoryTable table, std::span<const uint64_t> keys_per_segment) {
  TableRecord& record = header.tables[static_cast<size_t>(table)];
  const uint64_t fullest = *std::max_element(keys_per_segment.begin(), keys_per_segment.end());
  if (fullest > (uint64_t{1} << 32)) throw Error(name, "", "too many keys for one history file");
  for (const uint64_t keys : keys_per_segment) record.keys += keys;
  record.segment_bits = static_cast<uint32_t>(std::bit_width(keys_per_segment.size()) - 1);
  record.buckets_per_segment = buckets_for(fullest);
  begin_section(kTableSections[static_cast<size_t>(table)].buckets);
  expected.assign(keys_per_segment.begin(), keys_per_segment.end());
  segment = 0;
  stash.clear();
  entries.clear();
  segment_builder = std::make_unique<HistorySegment>(record.segment_bits, record.buckets_per_segment);
  write_full_segments();
}

void HistoryWriter::State::write_full_segments() {
  while (segment < expected.size() && entries.size() == expected[segment]) {
    segment_builder->place(entries, stash);
    const std::span<const std::byte> bytes = segment_builder->bytes();
    if (!bytes.empty()) write(bytes.data(), bytes.size());
    entries.clear();
    ++segment;
  }
}

void HistoryWriter::State::add(const HistorySegment::Entry& entry) {
  const unsigned bits = header.tables[next_table - 1].segment_bits;
  const bool ascending = entries.empty() || entries.back().key < entry.key;
  if (entry.key == 0 || !ascending || (entry.key >> 1) >> (63 - bits) != segment) {
    throw std::logic_error("history keys out of order");
  }
  entries.push_back(entry);
  write_full_segments();
}

void HistoryWriter::State::end_table() {
  if (!open) return;
  open = false;
  const size_t table = next_table - 1;
  if (table == static_cast<size_t>(HistoryTable::similar)) return write_similar_table();
  if (segment != expected.size()) throw std::logic_error("fewer history keys than announced");
  std::sort(stash.begin(), stash.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  write_section(kTableSections[table].stash, stash);
  write_section(kTableSections[table].extra, large);
  large.clear();
}

void HistoryWriter::State::write_similar_table() {
  std::sort(similar_index.begin(), similar_index.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  const unsigned bits = history_segment_bits(similar_index.size());
  std::vector<uint64_t> counts(size_t{1} << bits);
  for (const auto& entry : similar_index) ++counts[(entry.key >> 1) >> (63 - bits)];
  begin_buckets(HistoryTable::similar, counts);
  for (const auto& entry : similar_index) add(entry);
  std::sort(stash.begin(), stash.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  write_section(Section::similar_stash, stash);
}

/// Ends the table being written and leaves those before `table` empty, in the file's order of sections.
void HistoryWriter::State::skip_to(size_t table) {
  if (table < next_table) throw std::logic_error("history tables out of order");
  end_table();
  for (; next_table < table; ++next_table) {
    const TableSections& sections = kTableSections[next_table];
    if (next_table == static_cast<size_t>(HistoryTable::similar)) begin_section(sections.extra);
    begin_section(sections.buckets);
    begin_section(sections.stash);
    if (next_table != static_cast<size_t>(HistoryTable::similar)) begin_section(sections.extra);
  }
}

HistoryWriter::HistoryWriter(const std::filesystem::path& path) : state_(std::make_unique<State>(path)) {}
HistoryWriter::~HistoryWriter() = default;

void HistoryWriter::begin_counters(HistoryPart part, std::span<const uint64_t> keys_per_segment) {
  const auto table = static_cast<size_t>(part);
  state_->skip_to(table);
  state_->next_table = table + 1;
  state_->open = true;
  state_->begin_buckets(static_cast<HistoryTable>(part), keys_per_segment);
}

void HistoryWriter::add_counters(Fingerprint key, const Counts& counts) {
  uint64_t packed = 0;
  if (PackedCounts::fits(counts)) {
    packed = PackedCounts::pack(counts);
  } else {
    packed = PackedCounts::kLarge | state_->large.size();
    LargeCounts large{};
    std::copy(counts.reacted.begin(), counts.reacted.end(), large.counts.begin());
    large.counts[kReactions] = counts.none;
    state_->large.push_back(large);
  }
  state_->add({key, packed});
}

void HistoryWriter::begin_similar() {
  state_->skip_to(static_cast<size_t>(HistoryTable::similar));
  state_->next_table = kHistoryTables;
  state_->open = true;
  state_->begin_section(Section::similar_authors);
}

void HistoryWriter::add_similar(Fingerprint author, std::span<const SimilarAuthor> similar) {
  if (similar.empty() || similar.size() > kMaxSimilarAuthors)
    throw std::logic_error("expected 1 to 9 similar authors");
  state_->similar_index.push_back({author, state_->similar_entries << kSimilarCountBits | similar.size()});
  state_->similar_entries += similar.size();
  state_->write(similar.data(), similar.size_bytes());
}

uint64_t HistoryWriter::commit(const HistoryInfo& info) {
  State& state = *state_;
  state.skip_to(kHistoryTables);
  state.end_section();
  state.file.pad_to(kAlignment);
  Header& header = state.header;
  header.identifier = kIdentifier;
  header.version = kVersion;
  header.header_bytes = sizeof header;
  header.file_bytes = state.file.size();
  header.holdout_every = info.holdout_every;
  header.train_rows = info.train_rows;
  header.valid_rows = info.valid_rows;
  header.held_out_rows = info.held_out_rows;
  header.train_fingerprint = info.train_fingerprint;
  header.valid_fingerprint = info.valid_fingerprint;
  header.checksum = header_checksum(header);
  state.file.write_at(0, &header, sizeof header);
  state.file.commit();
  return header.file_bytes;
}

}  // namespace kinglet::formats
