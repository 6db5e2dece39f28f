#include "kinglet/history/features.h"

#include <map>
#include <memory>

#include <CLI/CLI.hpp>

#include "kinglet/history/builder.h"

#include "progress.h"
#include "verbs.h"

namespace kinglet::cli {
namespace {

using history::Split;

struct Arguments {
  history::FeatureOptions options;
  std::filesystem::path output;
};

void run(const Arguments& arguments) {
  Progress progress;
  history::FeatureOptions options = arguments.options;
  options.progress = progress.function();
  history::write_history_features(options, arguments.output);
}

}  // namespace

void add_features(CLI::App& app) {
  CLI::App* verb =
      app.add_subcommand("features", "Write the history values that the network would see of each row");
  auto arguments = std::make_shared<Arguments>();
  history::FeatureOptions& options = arguments->options;
  const std::map<std::string, Split> splits{
      {"train", Split::train}, {"valid", Split::valid}, {"holdout", Split::holdout}};
  verb->add_option("--train", options.train, "Training rows: files, or folders of part-* files")->required();
  verb->add_option("--valid", options.valid, "Validation rows: files, or folders of part-* files");
  verb->add_option("--holdout-every", options.holdout_every,
                   "Hold out every Nth validation row, from the first on; 0 holds out none [10]");
  verb->add_option("--split", options.split, "Whose rows to write: train, valid or holdout")
      ->required()
      ->transform(CLI::CheckedTransformer(splits));
  verb->add_option("--memory", options.memory_bytes,
                   "Bound on memory, such as 512M; what does not fit spills to disk [1G]")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(history::kMinMemory, UINT64_MAX));
  verb->add_option("-o,--output", arguments->output, "Tab-separated file to write")->required();
  verb->callback([arguments] { run(*arguments); });
}

}  // namespace kinglet::cli
