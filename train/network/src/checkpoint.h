#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "network.h"
#include "optimiser.h"

namespace kinglet::train {

/// How far a training is.
struct Position {
  uint64_t pass = 0;
  uint64_t step = 0;                // of that pass, done
  double loss_sum = 0;              // over the rows of that pass so far
  std::vector<double> pass_losses;  // of the passes done, mean over their rows

  friend bool operator==(const Position&, const Position&) = default;
};

/// What a training is of: settings, rows, codebook, sizes, by name. A checkpoint goes on only with the same.
using Identity = std::vector<std::pair<std::string, std::string>>;

/// Writes everything that the rest of a training depends on, whole or not at all. Throws Error.
void write_checkpoint(const std::filesystem::path& path, const Identity& identity, const Position& position,
                      Network& network, Optimiser& optimiser);

/// Takes it back. Throws Error if the file is damaged, or names the first difference if it is of another
/// training.
Position read_checkpoint(const std::filesystem::path& path, const Identity& identity, Network& network,
                         Optimiser& optimiser);

}  // namespace kinglet::train
