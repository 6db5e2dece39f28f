#include "kinglet/train/train.h"

#include <memory>
#include <optional>

#include <fmt/format.h>

#include "arguments.h"
#include "feature_set.h"
#include "progress.h"
#include "verbs.h"

namespace kinglet::cli {
namespace {

using train::Settings;

/// What was given takes the place of the preset's value.
struct Arguments {
  train::TrainOptions options;
  std::string preset = "paper";
  std::optional<uint32_t> hidden, depth, width, batch, epochs, valid_epochs, threads;
  std::optional<double> rate, weight_decay, output_scale, flip_penalty;
  std::optional<uint64_t> holdout_every, seed;
  std::optional<std::string> schedule;
  std::optional<bool> base_rate_bias;
  std::optional<uint32_t> history_periods;
  std::optional<double> input_dropout, half_life;
  std::vector<std::string> features;
  FeatureSetArguments feature_set;
  std::string initial;
  uint64_t memory = uint64_t{1} << 30;
};

train::FeatureGroups groups_of(const std::vector<std::string>& names) {
  train::FeatureGroups groups{false, false, false, false, false, false};
  for (const std::string& name : names) {
    if (name == "interactions") groups.interactions = true;
    if (name == "content") groups.content = true;
    if (name == "similar") groups.similar = true;
    if (name == "calendar") groups.calendar = true;
    if (name == "accounts") groups.accounts = true;
    if (name == "text") groups.text = true;
  }
  return groups;
}

template <typename T>
void take(const std::optional<T>& given, T& setting) {
  if (given) setting = *given;
}

Settings settings_of(const Arguments& arguments) {
  Settings settings = arguments.preset == "small" ? Settings::small() : Settings::paper();
  take(arguments.hidden, settings.hidden);
  take(arguments.depth, settings.depth);
  take(arguments.width, settings.width);
  take(arguments.batch, settings.batch);
  take(arguments.epochs, settings.epochs);
  take(arguments.valid_epochs, settings.valid_epochs);
  take(arguments.threads, settings.threads);
  take(arguments.rate, settings.rate);
  take(arguments.weight_decay, settings.weight_decay);
  take(arguments.output_scale, settings.output_scale);
  take(arguments.flip_penalty, settings.flip_penalty);
  take(arguments.holdout_every, settings.holdout_every);
  take(arguments.seed, settings.seed);
  take(arguments.base_rate_bias, settings.base_rate_bias);
  take(arguments.history_periods, settings.history_periods);
  take(arguments.input_dropout, settings.input_dropout);
  take(arguments.half_life, settings.half_life);
  arguments.feature_set.apply(settings.feature_set);
  if (arguments.schedule) {
    settings.schedule = *arguments.schedule == "program" ? train::Schedule::program : train::Schedule::paper;
  }
  if (!arguments.features.empty()) settings.features = groups_of(arguments.features);
  return settings;
}

void print(const train::TrainReport& report, const std::filesystem::path& output) {
  fmt::print("{} training rows, {} validation rows, {} held out, {} languages, {} parameters{}\n",
             report.train_rows, report.valid_rows, report.held_out_rows, report.languages, report.parameters,
             report.resumed ? "; continued from a checkpoint" : "");
  for (const train::PassReport& pass : report.passes) {
    fmt::print("{}: mean loss {:.5f} over {} rows\n", pass.name, pass.loss, pass.rows);
  }
  for (const std::string& note : report.notes) fmt::print("note: {}\n", note);
  for (const char* name :
       {"model.kinglet", "history.kinglet", "weights.safetensors", "languages.json", "report.json"}) {
    fmt::print("wrote {}\n", (output / name).string());
  }
}

void run(const Arguments& arguments) {
  Progress progress;
  train::TrainOptions options = arguments.options;
  options.settings = settings_of(arguments);
  options.memory_bytes = arguments.memory;
  options.progress = progress.function();
  if (!arguments.initial.empty()) options.initial = arguments.initial;
  const train::TrainReport report = train::train(options);
  progress.finish();
  print(report, options.output);
}

void add_settings(Verb verb, Arguments& arguments) {
  verb.option("--preset", arguments.preset, "Defaults of the options below [paper]")
      .one_of({"paper", "small"});
  verb.option("--hidden", arguments.hidden, "Hidden size");
  verb.option("--depth", arguments.depth, "Sketch depth where the codebook is empty");
  verb.option("--width", arguments.width, "Sketch width");
  verb.option("--batch", arguments.batch, "Rows a batch");
  verb.option("--epochs", arguments.epochs, "Epochs of stage 1, over the training rows");
  verb.option("--valid-epochs", arguments.valid_epochs, "Epochs of stage 2, over the validation rows");
  verb.option("--rate", arguments.rate, "Learning rate at each stage's start");
  verb.option("--weight-decay", arguments.weight_decay, "AdamW's weight decay");
  verb.option("--schedule", arguments.schedule, "Linear decay (paper), or by day and epoch (program)")
      .one_of({"paper", "program"});
  verb.option("--holdout-every", arguments.holdout_every, "Hold out every Nth validation row; 0 for none");
  verb.option("--seed", arguments.seed, "Seed of initial weights and row order");
  verb.option("--threads", arguments.threads, "Threads; 0: one a CPU");
  verb.option("--features", arguments.features, "Feature groups in use, separated by commas")
      .separated_by(',')
      .one_of({"interactions", "similar", "content", "calendar", "accounts", "text"});
  arguments.feature_set.add_to(verb);
  verb.option(
      "--history-periods", arguments.history_periods,
      "Training rows see only earlier ones of so many periods; 0: all days but their own (the paper's)");
  verb.option("--input-dropout", arguments.input_dropout, "Share of the inputs each training row loses");
  verb.option("--half-life", arguments.half_life,
              "Share of newer training rows at which a row's weight halves; 0: all count alike");
  verb.flag_or_not("base-rate-bias", arguments.base_rate_bias,
                   "Start output biases at the reactions' log-odds");
  verb.option("--output-scale", arguments.output_scale, "Factor on the output layer's initial weights");
  verb.option("--flip-penalty", arguments.flip_penalty,
              "Keep hidden units above 0, so that folded layers read less; try 0.01");
}

}  // namespace

void add_train(Verb program) {
  Verb verb = program.add_verb("train", "Train the network from rows: weights, history and model file");
  auto arguments = std::make_shared<Arguments>();
  train::TrainOptions& options = arguments->options;
  verb.option("--train", options.train, "Training rows: files, or folders of part-* files").required();
  verb.option("--valid", options.valid, "Validation rows: for stage 2, every Nth held out and measured");
  Verb text = verb.exactly_one("Text", "What the network reads of a tweet's text");
  text.option("--codebook", options.codebook, "Token codes (kinglet codebook), of which sketches are made");
  text.option(
      "--vectors", options.vectors,
      "Token vectors instead (as of codebook fit, codebook learn --vectors-out): the mean of a tweet's");
  verb.option("-o,--output", options.output, "Folder to write into; a stopped training there goes on")
      .required();
  add_settings(verb, *arguments);
  verb.option("--init", arguments->initial, "Start from these weights (torch, safetensors, npz)");
  verb.option("--init-languages", options.initial_languages, "Their languages [languages.json beside them]");
  verb.option("--checkpoint-every", options.checkpoint_seconds, "Seconds between checkpoints [300]")
      .not_negative();
  verb.option("--bootstrap", options.bootstrap, "Replicates for the report's intervals; 0 for none [1000]")
      .range(0, 1'000'000);
  verb.option("--memory", arguments->memory, "For counting the history, e.g. 1G [1G]").bytes();
  verb.action([arguments] { run(*arguments); });
}

}  // namespace kinglet::cli
