#include "kinglet/train/train.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <omp.h>

#include "kinglet/converter/convert.h"
#include "kinglet/converter/token_vectors.h"
#include "kinglet/converter/vocabulary.h"
#include "kinglet/formats/error.h"
#include "kinglet/formats/file.h"
#include "kinglet/formats/model_file.h"
#include "kinglet/request.h"

#include "initial.h"
#include "parallel.h"
#include "report.h"
#include "state_dict.h"
#include "trainer.h"

namespace kinglet::train {
namespace {

std::string fingerprint_of(const std::filesystem::path& path) {
  return formats::to_hex(formats::checksum_of(formats::MappedFile(path).bytes()));
}

std::filesystem::path initial_languages(const TrainOptions& options) {
  return options.initial_languages.empty() ? options.initial->parent_path() / "languages.json"
                                           : options.initial_languages;
}

/// The languages that the initial weights know; none without such.
Languages known_languages(const TrainOptions& options) {
  Languages languages;
  if (!options.initial) return languages;
  const std::filesystem::path file = initial_languages(options);
  for (const auto& [name, row] : converter::read_languages(file)) {
    if (row != languages.names().size()) {
      throw Error(file.string(), "'" + name + "'", "expected the rows 0, 1, 2, ... without a gap");
    }
    languages.add(name);
  }
  return languages;
}

class Training {
 public:
  explicit Training(const TrainOptions& options) : options_(options), settings_(options.settings) {
    settings_.check();
    check_text();
    if (settings_.threads == 0) settings_.threads = static_cast<uint32_t>(omp_get_num_procs());
    set_worker_count(settings_.threads);
  }

  TrainReport run() {
    std::filesystem::create_directories(options_.output);
    const TokenTable tokens = options_.vectors.empty()
                                  ? TokenTable(options_.codebook, settings_.depth, settings_.width)
                                  : TokenTable(options_.vectors);
    const Languages known = known_languages(options_);
    const Dataset dataset = make_dataset(dataset_options(), tokens, known, options_.output);
    dataset.languages.write(file("languages.json"));
    note_what_is_missing(dataset);

    const NetworkShape shape{settings_.hidden, tokens.inputs(),
                             static_cast<uint32_t>(settings_.feature_set.plain_inputs()),
                             dataset.languages.rows()};
    const Identity identity = make_identity(dataset, tokens);
    report_.train_rows = dataset.train.rows();
    report_.valid_rows = dataset.valid.rows();
    report_.held_out_rows = dataset.history.info.held_out_rows;
    report_.languages = dataset.languages.names().size();
    converter::write_safetensors(file("weights.safetensors"),
                                 trained(shape, known, dataset, tokens, identity));
    convert(tokens);
    write_report(identity, dataset);
    std::filesystem::remove(file("checkpoint.kgl"));
    return std::move(report_);
  }

 private:
  void check_text() {
    if (options_.codebook.empty() == options_.vectors.empty())
      throw Error("--codebook", "", "expected either a codebook or token vectors (--vectors)");
    if (options_.vectors.empty()) return;
    settings_.feature_set.text = TextInput::token_mean;
    if (settings_.feature_set.sketch_norm != fbs::SketchNorm::row)
      throw Error("--sketch-norm", "", "with the mean of token vectors there is no sketch to normalise");
  }

  const std::filesystem::path& token_file() const {
    return options_.vectors.empty() ? options_.codebook : options_.vectors;
  }

  std::filesystem::path file(const char* name) const { return options_.output / name; }

  DatasetOptions dataset_options() const {
    DatasetOptions dataset;
    dataset.train = options_.train;
    dataset.valid = options_.valid;
    dataset.holdout_every = settings_.holdout_every;
    dataset.history_periods = settings_.history_periods;
    dataset.memory_bytes = options_.memory_bytes;
    dataset.text = settings_.features.text;
    dataset.token_file = token_file().string();
    dataset.progress = options_.progress;
    return dataset;
  }

  Identity make_identity(const Dataset& dataset, const TokenTable& tokens) const {
    Identity identity = settings_.described();
    const auto set = [&](const char* name, std::string value) {
      identity.emplace_back(name, std::move(value));
    };
    const bool mean = tokens.kind() == TextInput::token_mean;
    set(mean ? "token vectors" : "codebook", fingerprint_of(token_file()));
    set(mean ? "text" : "sketch", tokens.described());
    set("initial weights", options_.initial ? fingerprint_of(*options_.initial) : "drawn");
    set("training rows", dataset.train.fingerprint());
    set("validation rows", dataset.valid.rows() > 0 ? dataset.valid.fingerprint() : "none");
    return identity;
  }

  void note_what_is_missing(const Dataset& dataset) {
    for (size_t t = 0; t < kTargets; ++t) {
      if (dataset.train.positives()[t] > 0) continue;
      report_.notes.push_back(
          fmt::format("no training row has a {}: its predictions mean nothing", kTargetNames[t]));
    }
    if (!settings_.features.text || dataset.tokens == 0) return;
    const double known = static_cast<double>(dataset.known_tokens) / static_cast<double>(dataset.tokens);
    if (known < 0.5) {
      report_.notes.push_back(
          fmt::format("the {} {:.1f} % of the rows' tokens",
                      options_.vectors.empty() ? "codebook knows" : "token vectors are of", 100 * known));
    }
  }

  /// The final weights. Network and moments are gone when it returns.
  converter::TensorMap trained(const NetworkShape& shape, const Languages& known, const Dataset& dataset,
                               const TokenTable& tokens, const Identity& identity) {
    Network network(shape, settings_.batch, settings_.flip_penalty);
    initialise(known, dataset, network);
    const TrainerOptions trainer_options{settings_, identity, file("checkpoint.kgl"),
                                         std::chrono::duration<double>(options_.checkpoint_seconds),
                                         options_.progress};
    Trainer trainer(trainer_options, dataset, tokens, network);
    report_.resumed = trainer.resume();
    trainer.run();
    for (size_t i = 0; i < trainer.passes().size(); ++i) {
      report_.passes.push_back({trainer.passes()[i].name, trainer.passes()[i].rows, trainer.losses()[i]});
    }
    converter::TensorMap tensors =
        to_state_dict(network.layout(), {network.parameters().data(), network.parameters().size()});
    for (const auto& [name, tensor] : tensors) report_.parameters += tensor.elements();
    add_statistics(network.layout(), network.statistics(), tensors);
    return tensors;
  }

  void initialise(const Languages& known, const Dataset& dataset, Network& network) const {
    if (options_.initial) {
      const converter::Checkpoint checkpoint = converter::read_checkpoint(*options_.initial);
      take_initial(checkpoint.tensors, options_.initial->string(), known.names().size(), network);
    } else {
      std::array<double, kTargets> rates{};
      for (size_t t = 0; t < kTargets; ++t) {
        rates[t] =
            static_cast<double>(dataset.train.positives()[t]) / static_cast<double>(dataset.train.rows());
      }
      draw_initial(settings_, rates, network);
    }
    switch_off(settings_, network);
  }

  void convert(const TokenTable& tokens) const {
    converter::ConvertOptions convert;
    convert.weights = file("weights.safetensors");
    convert.languages = file("languages.json");
    if (tokens.kind() == TextInput::token_mean) {
      convert.vectors = file("token_vectors.safetensors");
      converter::write_token_vectors(convert.vectors, tokens.vectors());
    } else {
      convert.codebook = options_.codebook;
      convert.depth = tokens.depth();
      convert.width = tokens.width();
    }
    convert.features = settings_.feature_set;
    convert.strict = true;
    converter::convert(convert, file("model.kinglet"), options_.progress);
  }

  void write_report(const Identity& identity, const Dataset& dataset) const {
    nlohmann::ordered_json json = make_report(identity, dataset, report_);
    json["held_out"] = measure_held_out(options_, file("model.kinglet"), file("history.kinglet"));
    formats::AtomicFile out(file("report.json"));
    out.write(json.dump(2) + "\n");
    out.commit();
  }

  const TrainOptions& options_;
  Settings settings_;
  TrainReport report_;
};

}  // namespace

TrainReport train(const TrainOptions& options) {
  return Training(options).run();
}

}  // namespace kinglet::train
