#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "kinglet/formats/history_file.h"

namespace kinglet::formats {

/// How many highest bits of a key choose its segment in a table of that many keys: a function of nothing
/// else, so that the same counters give the same bytes.
unsigned history_segment_bits(uint64_t keys) noexcept;

/// Writes a history file table by table, each in a fixed order: train, valid, similar; a table that is
/// skipped is empty. Holds one segment of a table, the counts beyond 4,095 (64 bytes each) and 16 bytes an
/// author with similar ones in memory. The file appears under its name only at commit(), whole. Throws Error
/// if it cannot be written, and std::logic_error if the order is broken. Not thread-safe.
class HistoryWriter {
 public:
  explicit HistoryWriter(const std::filesystem::path& path);
  ~HistoryWriter();

  /// Starts a table of counters. `keys_per_segment` has 2^history_segment_bits(all keys) entries.
  void begin_counters(HistoryPart part, std::span<const uint64_t> keys_per_segment);
  /// Keys in strictly ascending order, as many in each segment as was said.
  void add_counters(Fingerprint key, const Counts& counts);

  /// Starts the similar authors; then each author once, in any order (the order is the file's).
  void begin_similar();
  void add_similar(Fingerprint author, std::span<const SimilarAuthor> similar);

  /// Completes the file and puts it in its place. Returns its size in bytes.
  uint64_t commit(const HistoryInfo& info);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kinglet::formats
