#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "kinglet/formats/row.h"

namespace kinglet::simulate {

/// How large the invented world is. The same options give the same bytes with every compiler, library and
/// CPU.
struct WorldOptions {
  uint64_t rows = 1'000'000;
  uint64_t seed = 1;
  uint32_t days = 28;
  /// The last days of them are for validation.
  uint32_t valid_days = 2;
  /// Users, all of whom read; 0 = a twentieth of the rows, at least 1,000. Rounded up to whole communities
  /// of 64.
  uint64_t readers = 0;
  /// Users who also write; 0 = a fiftieth of the rows, at least 400.
  uint64_t authors = 0;
  uint32_t languages = 66;
  /// Token ids are below it.
  uint32_t vocabulary = 119'547;
  /// Unix seconds of the first day's midnight, UTC.
  int64_t start = 1'612'396'800;  // 4 February 2021, the first day of the contest's data
};

enum class Split : uint8_t { train, valid };

/// One row; the views are valid until the next one is made.
struct SimulatedRow {
  Split split = Split::train;
  /// A row with labels (docs/formats/rows.md), its newline included.
  std::string_view line;
  /// Its true probabilities as a line of a scores file, its newline included.
  std::string_view truth;
  /// The same, indexed by Reaction: what each reaction was drawn with.
  std::array<float, kReactions> probabilities{};
  std::array<bool, kReactions> reacted{};
};

/// An invented Twitter (docs/simulate.md), a row at a time: tweets by time, each with all its readers. Users,
/// tastes, follow edges and affinities are functions of numbers, not tables, so memory is a few MB whatever
/// the number of rows, and a row allocates nothing once the longest one was made. Not thread-safe.
class World {
 public:
  /// Sets the reactions' base rates by a sample of rows: about a tenth of a second. Throws Error for options
  /// that make no world.
  explicit World(const WorldOptions& options);
  World(World&&) noexcept;
  World& operator=(World&&) noexcept;
  ~World();

  /// The next row, or false after the last.
  bool next(SimulatedRow& row);

  /// The options as used, with the numbers of readers and authors that were chosen.
  const WorldOptions& options() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kinglet::simulate
