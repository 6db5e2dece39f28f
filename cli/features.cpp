#include "kinglet/history/features.h"

#include <memory>

#include "kinglet/history/builder.h"

#include "arguments.h"
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

void add_features(Verb program) {
  Verb verb = program.add_verb("features", "Write the history values that the network would see of each row");
  auto arguments = std::make_shared<Arguments>();
  history::FeatureOptions& options = arguments->options;
  verb.option("--train", options.train, "Training rows: files, or folders of part-* files").required();
  verb.option("--valid", options.valid, "Validation rows: files, or folders of part-* files");
  verb.option("--holdout-every", options.holdout_every,
              "Hold out every Nth validation row, from the first on; 0 holds out none [10]");
  verb.choice("--split", options.split,
              {{"train", Split::train}, {"valid", Split::valid}, {"holdout", Split::holdout}},
              "Whose rows to write: train, valid or holdout")
      .required();
  verb.option("--memory", options.memory_bytes,
              "Bound on memory, such as 512M; what does not fit spills to disk [1G]")
      .bytes()
      .range(history::kMinMemory, UINT64_MAX);
  verb.option("-o,--output", arguments->output, "Tab-separated file to write").required();
  verb.action([arguments] { run(*arguments); });
}

}  // namespace kinglet::cli
