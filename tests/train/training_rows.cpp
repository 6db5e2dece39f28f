#include "train/training_rows.h"

#include "kinglet/simulate/simulate.h"

#include "support/support.h"

namespace kinglet::test {

void write_training_data(const std::filesystem::path& folder) {
  constexpr unsigned kVocabulary = 2'000;
  simulate::SimulateOptions options;
  options.world.rows = 3'000;
  options.world.days = 5;
  options.world.valid_days = 2;
  options.world.vocabulary = kVocabulary;
  simulate::simulate(options, folder / "world");

  std::string codebook = "{";
  for (unsigned token = 0; token < kVocabulary; ++token) {
    if (token % 7 == 3) continue;
    codebook += (token == 0 ? "\"" : ",\n\"") + std::to_string(token) + "\": [";
    for (unsigned depth = 0; depth < 4; ++depth) {
      codebook += (depth == 0 ? "" : ", ") + std::to_string(depth * 16 + (token * (depth + 3) / 5) % 16);
    }
    codebook += "]";
  }
  write_file(folder / "codebook.json", codebook + "}\n");
}

train::TrainOptions small_training(const std::filesystem::path& folder, const std::string& output) {
  train::TrainOptions options;
  options.train = {folder / "world/train"};
  options.valid = {folder / "world/valid"};
  options.codebook = folder / "codebook.json";
  options.output = folder / output;
  options.settings.hidden = 24;
  options.settings.width = 16;
  options.settings.batch = 64;
  options.settings.rate = 1e-3;
  options.settings.threads = 1;
  options.settings.input_dropout = 0.1;
  options.settings.half_life = 0.5;
  options.bootstrap = 20;
  return options;
}

}  // namespace kinglet::test
