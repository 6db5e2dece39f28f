// Makes everything that the demo needs and no one can download: rows, a checkpoint, a codebook, a language
// table.

#include <cstdio>
#include <exception>

#include <fmt/format.h>

#include "arguments.h"
#include "synthetic/synthetic.h"

namespace {

using namespace kinglet::synthetic;

constexpr int64_t kStart = 1'612'396'800;  // 4 February 2021
constexpr int64_t kDay = 86'400;

struct Options {
  std::filesystem::path folder;
  WorldOptions world;
  NetworkOptions network;
  uint64_t train = 16'000;
  uint64_t valid = 2'000;
  uint64_t score = 2'000;
};

/// 26 days of training rows, then a day for validation, then a day to score.
void make_rows(const Options& options) {
  using Labels = SyntheticWorld::Labels;
  SyntheticWorld world(options.world);
  write_rows(world, options.folder / "train", 4, options.train, kStart, kStart + 26 * kDay, Labels::yes);
  write_rows(world, options.folder / "valid", 2, options.valid, kStart + 26 * kDay, kStart + 27 * kDay,
             Labels::yes);
  write_rows(world, options.folder / "score", 1, options.score, kStart + 27 * kDay, kStart + 28 * kDay,
             Labels::no);
  fmt::print("train/ {} rows, valid/ {} rows, score/ {} rows\n", options.train, options.valid, options.score);
  write_languages(world.language_names(), options.folder / "languages.json");
  fmt::print("languages.json: {} languages\n", options.world.languages);
}

void make_network(const Options& options) {
  const uint64_t parameters = write_checkpoint(options.network, options.folder / "weights.safetensors");
  fmt::print("weights.safetensors: {} parameters, {} inputs, hidden size {}, untrained\n", parameters,
             options.network.inputs(), options.network.hidden);
  write_codebook(options.network, options.world.vocabulary, options.folder / "codebook.json");
  fmt::print("codebook.json: {} codes a token\n", options.network.depth);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  kinglet::cli::Program program("kinglet_synthetic",
                                "Writes synthetic rows and an untrained checkpoint into FOLDER.");
  kinglet::cli::Verb verb = program.verb();
  verb.option("FOLDER", options.folder).required();
  verb.option("--train", options.train, "training rows").show_default();
  verb.option("--valid", options.valid, "validation rows").show_default();
  verb.option("--score", options.score, "rows to score, without labels").show_default();
  verb.option("--hidden", options.network.hidden, "hidden size").show_default();
  verb.option("--seed", options.world.seed, "same seed, same files").show_default();
  if (!program.run(argc, argv)) return 2;
  options.network.seed = options.world.seed;
  try {
    make_rows(options);
    make_network(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "kinglet_synthetic: {}\n", error.what());
    return 1;
  }
  return 0;
}
