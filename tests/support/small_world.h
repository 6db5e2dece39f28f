#pragma once

#include <filesystem>

#include "kinglet/history/builder.h"

#include "support/small_model.h"

namespace kinglet::test {

inline constexpr int64_t kWorldStart = 1'612'137'600;  // 1 February 2021, UTC
inline constexpr int64_t kDay = 86'400;

/// An invented data set in a folder: training rows over 3 days, validation rows on the 4th, rows to be scored
/// on the 5th, and the history of the first two.
struct SmallWorld {
  SmallWorld(const TempDir& dir, uint64_t rows, uint64_t seed = 1)
      : train(dir / "train"), valid(dir / "valid"), score(dir / "score"), history(dir / "history.kinglet") {
    synthetic::WorldOptions options;
    options.seed = seed;
    options.authors = 40;
    options.readers = 60;
    options.hashtags = 30;
    synthetic::SyntheticWorld world(options);
    using Labels = synthetic::SyntheticWorld::Labels;
    synthetic::write_rows(world, train, 2, rows, kWorldStart, kWorldStart + 3 * kDay, Labels::yes);
    synthetic::write_rows(world, valid, 1, rows / 4, kWorldStart + 3 * kDay, kWorldStart + 4 * kDay,
                          Labels::yes);
    synthetic::write_rows(world, score, 1, rows / 4, kWorldStart + 4 * kDay, kWorldStart + 5 * kDay,
                          Labels::no);
    kinglet::history::build_history({train}, {valid}, history, {});
  }
  std::filesystem::path train, valid, score, history;
};

/// Sources' options with the world's validation rows for calibration; `layers` are folded.
inline converter::ConvertOptions calibrated(const ModelSources& sources, const SmallWorld& world,
                                            converter::Precision precision, uint32_t layers) {
  converter::ConvertOptions options = sources.options();
  options.precision = precision;
  options.folded_layers = layers;
  options.calibration.rows = {world.valid};
  options.calibration.history = world.history;
  options.calibration.frequent_bytes = uint64_t{1} << 16;
  return options;
}

/// An invented network with hidden layers folded, as `dir`/skeleton.kinglet.
inline std::filesystem::path write_skeleton_model(const TempDir& dir, const SmallWorld& world,
                                                  const synthetic::NetworkOptions& network,
                                                  uint32_t vocabulary,
                                                  converter::Precision precision = converter::Precision::int8,
                                                  uint32_t layers = 2,
                                                  std::optional<uint32_t> side_bits = {}) {
  const std::filesystem::path path = dir / "skeleton.kinglet";
  const ModelSources sources = write_model_sources(dir, network, vocabulary);
  converter::ConvertOptions options = calibrated(sources, world, precision, layers);
  options.side_bits = side_bits;
  converter::convert(options, path);
  return path;
}

}  // namespace kinglet::test
