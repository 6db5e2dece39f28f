#pragma once

#include <filesystem>
#include <string>

#include "kinglet/train/train.h"

namespace kinglet::test {

/// An invented world of 3,000 rows (`folder`/world/train and /valid) and a codebook of 4 x 16 for most of its
/// tokens.
void write_training_data(const std::filesystem::path& folder);

/// A small network over that data, both stages, written to `folder`/`output`.
train::TrainOptions small_training(const std::filesystem::path& folder, const std::string& output);

}  // namespace kinglet::test
