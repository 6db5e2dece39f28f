// The history file: look-ups in tables of all sizes, and everything that can be wrong with a file.

#include "kinglet/formats/history_file.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "kinglet/formats/error.h"
#include "kinglet/formats/history_writer.h"

#include "history_layout.h"
#include "support/random.h"
#include "support/support.h"

using namespace kinglet::test;
using namespace kinglet::formats;
using history_layout::Header;
using history_layout::Section;
using kinglet::Error;

namespace {

using Contents = std::map<Fingerprint, Counts>;

Counts random_counts(Random& random) {
  const auto count = [&] {
    switch (random.below(64)) {
      case 0:
        return random.below(100'000'000'000);
      case 1:
        return 4'094 + random.below(4);
      default:
        return random.below(4);
    }
  };
  Counts counts;
  for (uint64_t& reacted : counts.reacted) reacted = count();
  counts.none = count();
  return counts;
}

Contents random_contents(Random& random, size_t keys) {
  Contents contents;
  while (contents.size() < keys) contents[random.next() | 1] = random_counts(random);
  return contents;
}

void write_counters(HistoryWriter& writer, HistoryPart part, const Contents& contents) {
  const unsigned bits = history_segment_bits(contents.size());
  std::vector<uint64_t> keys_per_segment(size_t{1} << bits);
  for (const auto& [key, counts] : contents) ++keys_per_segment[(key >> 1) >> (63 - bits)];
  writer.begin_counters(part, keys_per_segment);
  for (const auto& [key, counts] : contents) writer.add_counters(key, counts);
}

uint64_t write_history(const std::filesystem::path& path, const Contents& train, const Contents& valid = {}) {
  HistoryWriter writer(path);
  write_counters(writer, HistoryPart::train, train);
  write_counters(writer, HistoryPart::valid, valid);
  return writer.commit({});
}

/// A small history with something in every section but the stashes.
std::string small_history(const std::filesystem::path& path) {
  HistoryWriter writer(path);
  Random random(1);
  write_counters(writer, HistoryPart::train, {{5, {{1, 2, 3, 4}, 5}}, {1ULL << 63, {{5'000, 0, 0, 0}, 1}}});
  write_counters(writer, HistoryPart::valid, random_contents(random, 9));
  writer.begin_similar();
  writer.add_similar(77, std::vector<SimilarAuthor>{{88, 0.5}, {99, 0.25}});
  writer.add_similar(66, std::vector<SimilarAuthor>{{55, 1}});
  HistoryInfo info;
  info.holdout_every = 10;
  info.train_rows = 3;
  writer.commit(info);
  return read_file(path);
}

/// Looks up keys of all kinds; what is found does not matter, that it ends and stays inside the file does.
void look_up_everything(const HistoryFile& history) {
  uint64_t sum = 0;
  Random random(2);
  for (int i = 0; i < 300; ++i) {
    const Fingerprint key = i < 100 ? static_cast<Fingerprint>(i) : random.next();
    sum += history.find(HistoryPart::train, key).none + history.find(HistoryPart::valid, key).reacted[0];
    for (const SimilarAuthor& similar : history.similar_authors(key)) sum += similar.author;
  }
  CHECK(sum != 1);  // the sum keeps the look-ups alive
}

template <typename Value>
void put(std::string& bytes, size_t at, const Value& value) {
  std::memcpy(&bytes[at], &value, sizeof value);
}

/// Changes the header and makes its checksum right again, as an attacker would.
template <typename Change>
std::string with_header(std::string bytes, const Change& change) {
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  change(header);
  header.checksum = history_layout::header_checksum(header);
  put(bytes, 0, header);
  return bytes;
}

}  // namespace

TEST_CASE("every key is found and no other, in tables of all sizes") {
  const TempDir folder;
  Random random(3);
  for (const size_t keys : {0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 100, 1'000, 65'536, 65'537, 300'000}) {
    CAPTURE(keys);
    const Contents train = random_contents(random, keys);
    const Contents valid = random_contents(random, keys / 3);
    const uint64_t bytes = write_history(folder / "history", train, valid);
    const HistoryFile history(folder / "history", HistoryFile::Verify::full);
    CHECK(history.bytes() == bytes);
    CHECK(history.keys(HistoryTable::train) == keys);
    size_t wrong = 0;
    for (const auto& [key, counts] : train) wrong += history.find(HistoryPart::train, key) == counts ? 0 : 1;
    for (const auto& [key, counts] : valid) wrong += history.find(HistoryPart::valid, key) == counts ? 0 : 1;
    for (int i = 0; i < 1'000; ++i) {
      const Fingerprint key = random.next() & ~Fingerprint{1};  // none of them in the tables
      wrong += history.find(HistoryPart::train, key) == Counts{} ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("keys that crowd into the same two buckets go to the stash and are found") {
  const TempDir folder;
  constexpr size_t kKeys = 100;
  constexpr uint32_t kBuckets = 27;  // of a table of 100 keys
  Random random(4);
  Contents crowded;
  while (crowded.size() < kKeys) {
    const Fingerprint key = random.next() | 1;
    const auto at = FingerprintTable::buckets_of(key, 0, kBuckets);
    if (at.first < 2 && at.second < 2) crowded[key] = random_counts(random);
  }
  write_history(folder / "history", crowded);
  Header header;
  const std::string bytes = read_file(folder / "history");
  std::memcpy(&header, bytes.data(), sizeof header);
  REQUIRE(header.tables[0].buckets_per_segment == kBuckets);
  const auto& stash = header.sections[static_cast<size_t>(Section::train_stash)];
  CHECK(stash.length == (kKeys - 8) * sizeof(FingerprintTable::StashEntry));
  const HistoryFile history(folder / "history", HistoryFile::Verify::full);
  size_t wrong = 0;
  for (const auto& [key, counts] : crowded) wrong += history.find(HistoryPart::train, key) == counts ? 0 : 1;
  CHECK(wrong == 0);
}

TEST_CASE("a key takes at most 24 bytes, hardly any needs the stash, and most lie in their first bucket") {
  const TempDir folder;
  Random random(5);
  Contents contents;
  while (contents.size() < 200'000)
    contents[random.next() | 1] = {{random.below(4), 0, 1, 0}, random.below(9)};
  const uint64_t bytes = write_history(folder / "history", contents);
  CHECK(static_cast<double>(bytes) / 200'000 < 18);
  Header header;
  const std::string text = read_file(folder / "history");
  std::memcpy(&header, text.data(), sizeof header);
  CHECK(header.sections[static_cast<size_t>(Section::train_stash)].length == 0);
  size_t first = 0;
  for (const auto& [key, counts] : contents) {
    const auto at = FingerprintTable::buckets_of(key, header.tables[0].segment_bits,
                                                 header.tables[0].buckets_per_segment);
    const char* bucket = text.data() + header.sections[0].offset + at.first * FingerprintTable::kBucketBytes;
    for (size_t slot = 0; slot < FingerprintTable::kSlots; ++slot) {
      Fingerprint found = 0;
      std::memcpy(&found, bucket + slot * sizeof found, sizeof found);
      first += found == key ? 1 : 0;
    }
  }
  CHECK(first > contents.size() * 6 / 10);
}

TEST_CASE("similar authors come back in the order they were given") {
  const TempDir folder;
  Random random(6);
  std::map<Fingerprint, std::vector<SimilarAuthor>> expected;
  HistoryWriter writer(folder / "history");
  writer.begin_similar();
  while (expected.size() < 5'000) {
    const Fingerprint author = random.next() | 1;
    std::vector<SimilarAuthor> similar(1 + random.below(kMaxSimilarAuthors));
    for (SimilarAuthor& entry : similar) entry = {random.next(), random.uniform(0.1, 1)};
    if (expected.emplace(author, similar).second) writer.add_similar(author, similar);
  }
  writer.commit({});
  const HistoryFile history(folder / "history", HistoryFile::Verify::full);
  for (const auto& [author, similar] : expected) {
    const auto found = history.similar_authors(author);
    CHECK(std::equal(
        found.begin(), found.end(), similar.begin(), similar.end(),
        [](const auto& a, const auto& b) { return a.author == b.author && a.similarity == b.similarity; }));
  }
  CHECK(history.similar_authors(2).empty());
}

TEST_CASE("a table beyond 4 GiB is read with 64-bit offsets") {
  const TempDir folder;
  const std::filesystem::path path = folder / "history";
  std::string bytes = small_history(path);
  constexpr uint32_t kBuckets = 100'000'000;  // 6.4 GB, of which the file holds one
  constexpr Fingerprint kKey = 0xFFFFFFFF'FFFFFFF1U;
  const uint64_t bucket = FingerprintTable::buckets_of(kKey, 0, kBuckets).first;
  REQUIRE(bucket * FingerprintTable::kBucketBytes > uint64_t{1} << 32);
  uint64_t end = sizeof(Header);
  bytes = with_header(bytes, [&](Header& header) {
    header.tables = {};
    header.tables[0].buckets_per_segment = kBuckets;
    for (auto& section : header.sections) section = {end, 0, {}};
    end += kBuckets * FingerprintTable::kBucketBytes;
    header.sections[0].length = end - sizeof(Header);
    for (size_t s = 1; s < header.sections.size(); ++s) header.sections[s].offset = end;
    header.file_bytes = end;
  });
  const int file = ::open(path.c_str(), O_WRONLY | O_TRUNC);
  REQUIRE(::ftruncate(file, static_cast<off_t>(end)) == 0);  // a hole
  REQUIRE(::pwrite(file, bytes.data(), sizeof(Header), 0) == sizeof(Header));
  const uint64_t at = sizeof(Header) + bucket * FingerprintTable::kBucketBytes;
  const uint64_t value = PackedCounts::pack({{1, 2, 3, 4}, 5});
  REQUIRE(::pwrite(file, &kKey, 8, static_cast<off_t>(at)) == 8);
  REQUIRE(::pwrite(file, &value, 8, static_cast<off_t>(at + 32)) == 8);
  ::close(file);
  const HistoryFile history(path);
  CHECK(history.find(HistoryPart::train, kKey) == Counts{{1, 2, 3, 4}, 5});
  CHECK(history.find(HistoryPart::train, kKey - 1) == Counts{});
}

TEST_CASE("every truncation is refused") {
  const TempDir folder;
  const std::string bytes = small_history(folder / "history");
  for (size_t length = 0; length < bytes.size(); ++length) {
    write_file(folder / "cut", bytes.substr(0, length));
    CHECK_THROWS_AS(HistoryFile(folder / "cut"), Error);
  }
  write_file(folder / "cut", bytes + std::string(64, '\0'));
  CHECK_THROWS_AS(HistoryFile(folder / "cut"), Error);
}

TEST_CASE("every changed bit of the header is found at opening, every changed byte by full verification") {
  const TempDir folder;
  const std::string good = small_history(folder / "history");
  HistoryFile(folder / "history", HistoryFile::Verify::full);
  const auto changed = [&](size_t byte, int bits) {
    std::string bytes = good;
    bytes[byte] = static_cast<char>(bytes[byte] ^ bits);
    write_file(folder / "changed", bytes);
    return folder / "changed";
  };
  for (size_t byte = 0; byte < sizeof(Header); ++byte) {
    for (int bit = 0; bit < 8; ++bit) CHECK_THROWS_AS(HistoryFile(changed(byte, 1 << bit)), Error);
  }
  for (size_t byte = sizeof(Header); byte < good.size(); ++byte) {
    const auto path = changed(byte, 1 << byte % 8);
    look_up_everything(HistoryFile(path));
    CHECK_THROWS_AS(HistoryFile(path, HistoryFile::Verify::full), Error);
  }
}

TEST_CASE("what is wrong is said, with the file and the place") {
  const TempDir folder;
  const std::string good = small_history(folder / "history");
  const auto error = [&](const std::string& bytes, HistoryFile::Verify verify = HistoryFile::Verify::header) {
    write_file(folder / "bad", bytes);
    return error_of([&] { HistoryFile(folder / "bad", verify); });
  };
  const auto says = [](const std::string& message, std::string_view part) {
    CAPTURE(message);
    CHECK(message.find("bad: ") != std::string::npos);
    CHECK(message.find(part) != std::string::npos);
  };
  const auto changed = [&](auto change) { return error(with_header(good, change)); };
  says(error("short"), "at least 512 bytes");
  says(changed([](Header& h) { h.identifier[7] = 'X'; }), "not a history file");
  says(changed([](Header& h) { h.version = 2; }), "format version 2, this program reads version 1");
  says(changed([](Header& h) { h.header_bytes = 1'024; }), "header of 512 bytes");
  says(changed([](Header& h) { h.file_bytes += 64; }), "expected a file of");
  says(error([&] {
         std::string bytes = good;
         bytes[40] ^= 1;
         return bytes;
       }()),
       "header: the checksum differs");
  for (size_t s = 0; s < history_layout::kSections; ++s) {
    const std::string name(history_layout::kSectionNames[s]);
    says(changed([&](Header& h) { h.sections[s].offset += 64; }), name);
    says(changed([&](Header& h) { h.sections[s].offset = std::numeric_limits<uint64_t>::max() - 63; }), name);
    says(changed([&](Header& h) { h.sections[s].length = std::numeric_limits<uint64_t>::max(); }), name);
    changed([&](Header& h) { h.sections[s].length += 64; });  // throws, whichever section is met first
    write_file(folder / "bad", with_header(good, [&](Header& h) { h.sections[s].checksum[3] ^= 1; }));
    look_up_everything(HistoryFile(folder / "bad"));
    says(error_of([&] { HistoryFile(folder / "bad", HistoryFile::Verify::full); }),
         name + ": the checksum differs");
  }
  says(changed([](Header& h) { h.tables[0].segment_bits = 15; }),
       "train buckets: expected at most 14 segment bits");
  says(changed([](Header& h) { h.tables[1].buckets_per_segment ^= 1; }), "valid buckets");
  says(changed([](Header& h) { h.tables[2].segment_bits = 1; }), "similar buckets");
}

TEST_CASE("a header that lies with a right checksum never makes a look-up leave the file") {
  const TempDir folder;
  const std::string good = small_history(folder / "history");
  Random random(7);
  size_t opened = 0;
  for (size_t word = 0; word < sizeof(Header) / 4; ++word) {
    for (const uint32_t value :
         {0U, 1U, 64U, 0x80000000U, 0xFFFFFFFFU, static_cast<uint32_t>(random.next())}) {
      const std::string bytes = with_header(good, [&](Header& header) {
        std::memcpy(reinterpret_cast<char*>(&header) + word * 4, &value, sizeof value);
      });
      write_file(folder / "lie", bytes);
      try {
        look_up_everything(HistoryFile(folder / "lie"));
        ++opened;
      } catch (const Error&) {
        continue;
      }
    }
  }
  CHECK(opened > 0);  // provenance may say anything
}

TEST_CASE("values that point outside their section are not followed") {
  const TempDir folder;
  const std::string good = small_history(folder / "history");
  Header header;
  std::memcpy(&header, good.data(), sizeof header);
  for (const Section section : {Section::train_buckets, Section::valid_buckets, Section::similar_buckets}) {
    std::string bytes = good;
    const auto& record = header.sections[static_cast<size_t>(section)];
    for (uint64_t bucket = record.offset; bucket < record.offset + record.length; bucket += 64) {
      for (uint64_t slot = 0; slot < 4; ++slot) put(bytes, bucket + 32 + slot * 8, ~uint64_t{0} - slot * 255);
    }
    write_file(folder / "bad", bytes);
    const HistoryFile history(folder / "bad");
    look_up_everything(history);
    CHECK(history.find(HistoryPart::train, 5).reacted[0] == (section == Section::train_buckets ? 0 : 1));
    CHECK(history.similar_authors(77).size() == (section == Section::similar_buckets ? 0 : 2));
  }
}

TEST_CASE("the writer's order of tables and keys is kept by programmers") {
  const TempDir folder;
  const std::vector<uint64_t> two{2};
  {
    HistoryWriter writer(folder / "history");
    writer.begin_counters(HistoryPart::valid, two);
    CHECK_THROWS_AS(writer.begin_counters(HistoryPart::train, two), std::logic_error);
  }
  {
    HistoryWriter writer(folder / "history");
    writer.begin_counters(HistoryPart::train, two);
    writer.add_counters(9, {});
    CHECK_THROWS_AS(writer.add_counters(9, {}), std::logic_error);
    CHECK_THROWS_AS(writer.add_counters(0, {}), std::logic_error);
    CHECK_THROWS_AS(writer.commit({}), std::logic_error);
  }
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("fingerprints are what docs/formats/history.md says") {
  // On disk: these numbers never change.
  CHECK(id_fingerprint("") == 0x2D06800538D394C2U);
  std::set<Fingerprint> distinct;
  const Fingerprint a = id_fingerprint("a");
  const Fingerprint b = id_fingerprint("b");
  for (unsigned kind = 1; kind <= 6; ++kind) {
    distinct.insert(key_fingerprint(static_cast<CounterKind>(kind), a, b));
    distinct.insert(key_fingerprint(static_cast<CounterKind>(kind), b, a));
    distinct.insert(key_fingerprint(static_cast<CounterKind>(kind), a));
  }
  distinct.insert(part_fingerprint(a, 0));
  distinct.insert(part_fingerprint(a, 1));
  CHECK(distinct.size() == 20);
}
