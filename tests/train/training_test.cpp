#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "kinglet/converter/convert.h"
#include "kinglet/converter/tensors.h"
#include "kinglet/converter/vocabulary.h"
#include "kinglet/formats/history_file.h"
#include "kinglet/formats/row_reader.h"
#include "kinglet/history/builder.h"
#include "kinglet/kinglet.h"
#include "kinglet/train/train.h"

#include "batch_maker.h"
#include "network.h"
#include "row_encoder.h"
#include "state_dict.h"
#include "support/support.h"
#include "train/training_rows.h"

namespace {

using namespace kinglet;
using converter::TensorMap;
using test::error_of;
using test::read_file;
using test::small_training;
using test::TempDir;
using test::write_training_data;
using train::TrainOptions;

const char* const kResults[] = {"weights.safetensors", "model.kinglet", "history.kinglet", "languages.json",
                                "report.json"};

/// Throws Interrupted at the `count`th report of a stage whose name starts so; of batches, each is reported.
ProgressFn interrupt_at(const std::string& stage, int count) {
  return [stage, count, seen = 0](std::string_view name, uint64_t, uint64_t, std::string_view) mutable {
    if (name.starts_with(stage) && ++seen == count) throw Interrupted();
  };
}

/// Leaves a training of `options` half done.
void stop_half_way(TrainOptions options) {
  options.progress = interrupt_at("stage 1, epoch 2", 3);
  CHECK_THROWS_AS(train::train(options), Interrupted);
}

bool same_results(const std::filesystem::path& a, const std::filesystem::path& b) {
  return std::all_of(std::begin(kResults), std::end(kResults),
                     [&](const char* name) { return read_file(a / name) == read_file(b / name); });
}

std::vector<float> weights(const std::filesystem::path& folder, const char* name) {
  return converter::read_checkpoint(folder / "weights.safetensors").tensors.at(name).to_f32();
}

/// Rows of one author and day; `labels` ends each line.
void write_rows(const std::filesystem::path& path, size_t rows, const std::string& token,
                const std::string& labels) {
  const char kSeparator = '\x01';
  std::string text;
  for (size_t i = 0; i < rows; ++i) {
    const std::string fields[] = {"101\t" + token + "\t102",
                                  "",
                                  "tweet" + std::to_string(i),
                                  "",
                                  "",
                                  "",
                                  "TopLevel",
                                  "en",
                                  "1612400000",
                                  "author",
                                  "5",
                                  "6",
                                  "false",
                                  "1500000000",
                                  "reader" + std::to_string(i % 3),
                                  "7",
                                  "8",
                                  "false",
                                  "1500000000",
                                  "true"};
    for (const std::string& field : fields) text += field + kSeparator;
    text += labels + "\n";
  }
  test::write_file(path, text);
}

/// Of the second and third hidden layers' units and the training's rows.
double share_below_zero(const std::filesystem::path& folder, const TrainOptions& options) {
  const Model model = Model::open(folder / "model.kinglet");
  const formats::HistoryFile history(folder / "history.kinglet");
  Session session(model);
  formats::RowReader reader(options.train);
  Row row;
  Scores scores;
  size_t units = 0;
  size_t below = 0;
  while (reader.next(row)) {
    REQUIRE(session.score(row, history, scores) == Status::ok);
    for (const char* layer : {"hidden2", "hidden3"}) {
      for (const float value : session.value(layer)) {
        ++units;
        below += value < 0 ? 1 : 0;
      }
    }
  }
  return static_cast<double>(below) / static_cast<double>(units);
}

const std::string kNoLabels = "\x01\x01\x01";
const std::string kLiked =
    "\x01\x01\x01"
    "1612400100";

}  // namespace

TEST_CASE("rows become a model that verifies, in two stages, and the same bytes again") {
  const TempDir folder;
  write_training_data(folder.path());
  const TrainOptions options = small_training(folder.path(), "a");
  const train::TrainReport report = train::train(options);
  CHECK_FALSE(report.resumed);
  REQUIRE(report.passes.size() == 5);
  CHECK(report.passes[0].name == "stage 1, epoch 1 of 2");
  CHECK(report.passes[4].name == "stage 2, epoch 3 of 3");
  CHECK(report.passes[1].loss < report.passes[0].loss);
  CHECK(report.passes[4].loss < report.passes[2].loss);
  CHECK(report.held_out_rows > 0);
  Model::open(folder / "a/model.kinglet", {.verify = true});
  const auto json = nlohmann::json::parse(read_file(folder / "a/report.json"));
  CHECK(json["training"]["hidden"] == "24");
  CHECK(json["held_out"]["all"]["like"]["rows"] == report.held_out_rows);
  CHECK(json["held_out"]["interval_95"].contains("like"));
  CHECK_FALSE(std::filesystem::exists(folder / "a/checkpoint.kgl"));

  train::train(small_training(folder.path(), "b"));
  CHECK(same_results(folder / "a", folder / "b"));
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder / "b")) ++files;
  CHECK(files == std::size(kResults));
}

TEST_CASE("an interrupted training goes on to the same bits, wherever it was stopped") {
  const TempDir folder;
  write_training_data(folder.path());
  train::train(small_training(folder.path(), "whole"));
  const std::pair<const char*, int> stops[] = {
      {"encoding", 1},         {"stage 1, epoch 1", 1}, {"stage 1, epoch 2", 5}, {"stage 2, epoch 1", 1},
      {"stage 2, epoch 3", 2}, {"writing", 1},          {"scoring", 1}};
  TrainOptions options = small_training(folder.path(), "stopped");
  for (const auto& stop : stops) {
    INFO(stop.first);
    options.progress = interrupt_at(stop.first, stop.second);
    CHECK_THROWS_AS(train::train(options), Interrupted);
  }
  options.progress = {};
  CHECK(train::train(options).resumed);
  CHECK(same_results(folder / "whole", options.output));
}

TEST_CASE("a checkpoint of another training, or a damaged one, is refused and left alone") {
  const TempDir folder;
  write_training_data(folder.path());
  TrainOptions options = small_training(folder.path(), "out");
  train::train(small_training(folder.path(), "whole"));
  stop_half_way(options);
  const std::string checkpoint = read_file(folder / "out/checkpoint.kgl");

  TrainOptions other = options;
  other.settings.rate = 2e-3;
  CHECK(error_of([&] { train::train(other); })
            .find("checkpoint.kgl: rate: the training to be continued had 0.001, "
                  "this one has 0.002") != std::string::npos);
  other = options;
  other.train = {folder / "world/train", folder / "world/valid"};
  CHECK(error_of([&] { train::train(other); }).find("checkpoint.kgl: training rows: ") != std::string::npos);
  CHECK(read_file(folder / "out/checkpoint.kgl") == checkpoint);

  for (const size_t place :
       {size_t{3}, size_t{10}, size_t{40}, checkpoint.size() / 2, checkpoint.size() - 1}) {
    std::string damaged = checkpoint;
    damaged[place] = static_cast<char>(damaged[place] ^ 4);
    test::write_file(folder / "out/checkpoint.kgl", damaged);
    CHECK(error_of([&] { train::train(options); }).find("checkpoint.kgl") != std::string::npos);
  }
  test::write_file(folder / "out/checkpoint.kgl", checkpoint.substr(0, 20));
  CHECK(error_of([&] { train::train(options); }).find("not a training checkpoint") != std::string::npos);
  test::write_file(folder / "out/checkpoint.kgl", checkpoint);
  CHECK(train::train(options).resumed);
  CHECK(same_results(folder / "whole", folder / "out"));
}

/// Puts token vectors of 10 dimensions, of which one is constant, in the place of the codebook.
void use_vectors(const std::filesystem::path& folder, TrainOptions& options) {
  std::string text;
  for (unsigned token = 0; token < 2'000; ++token) {
    if (token % 7 == 3) continue;
    text += std::to_string(token) + " 0.5";
    for (unsigned d = 1; d < 10; ++d) text += " " + std::to_string(token * (2 * d + 1) % 31) + "e-3";
    text += "\n";
  }
  test::write_file(folder / "vectors", text);
  options.codebook.clear();
  options.vectors = folder / "vectors";
}

/// Largest difference of a logit between the network in training and the engine, over the validation rows.
double engine_error(const FeatureSet& set) {
  const TempDir folder;
  write_training_data(folder.path());
  TrainOptions options = small_training(folder.path(), "out");
  if (set.text == TextInput::token_mean) use_vectors(folder.path(), options);
  options.settings.feature_set = set;
  train::train(options);
  const formats::HistoryFile history(folder / "out/history.kinglet");
  train::Languages languages;
  for (const auto& [name, row] : converter::read_languages(folder / "out/languages.json"))
    languages.add(name);
  const train::TokenTable tokens = options.vectors.empty() ? train::TokenTable(options.codebook, 4, 16)
                                                           : train::TokenTable(options.vectors);
  train::RowEncoder encoder(tokens, languages);
  train::RowCache cache(folder.path());
  Session session(Model::open(folder / "out/model.kinglet"));
  std::vector<Scores> scores;
  formats::RowReader reader({folder / "world/valid"});
  for (Row row; reader.next(row);) {
    cache.add(encoder.encode(row, {.history = &history}), 0);
    REQUIRE(session.score(row, history, scores.emplace_back()) == Status::ok);
  }
  cache.finish();

  train::BatchMaker maker(tokens, set, {});
  const train::NetworkShape shape{24, tokens.inputs(), maker.plain().size(), languages.rows()};
  train::Network network(shape, cache.rows());
  const TensorMap tensors = converter::read_checkpoint(folder / "out/weights.safetensors").tensors;
  train::from_state_dict(tensors, "w", network.layout(),
                         {network.parameters().data(), network.parameters().size()});
  train::read_statistics(tensors, "w", network.layout(), network.statistics());
  train::Batch batch(shape);
  std::vector<uint32_t> rows(cache.rows());
  for (uint32_t i = 0; i < rows.size(); ++i) rows[i] = i;
  maker.fill(cache, rows, {}, batch);
  const float* logits = network.infer(batch);
  double largest = 0;
  for (size_t i = 0; i < rows.size() * 4; ++i) {
    const float difference = std::abs(logits[i] - scores[i / 4].logits[i % 4]);
    largest = std::max(largest, static_cast<double>(difference));
  }
  return largest;
}

TEST_CASE("the engine's logits are the trainer's, whatever the features") {
  FeatureSet set;
  CHECK(engine_error(set) < 1e-4);
  set.shown = true;
  CHECK(engine_error(set) < 1e-4);
  set.fine_ages = true;
  CHECK(engine_error(set) < 1e-4);
  set.encoding = features::EncodingKind::log_steps;
  CHECK(engine_error(set) < 1e-4);
  set.sketch_norm = fbs::SketchNorm::tweet;
  CHECK(engine_error(set) < 1e-4);
  set.sketch_norm = fbs::SketchNorm::row;
  set.text = TextInput::token_mean;
  CHECK(engine_error(set) < 1e-4);
}

TEST_CASE("the mean of token vectors in place of the sketch") {
  const TempDir folder;
  write_training_data(folder.path());
  TrainOptions options = small_training(folder.path(), "whole");
  use_vectors(folder.path(), options);
  train::train(options);
  const auto json = nlohmann::json::parse(read_file(folder / "whole/report.json"));
  CHECK(json["training"]["text"] == "mean of 10");
  CHECK(json["training"]["layout"] == "recsys2021-token_mean");
  CHECK(weights(folder / "whole", "l1.weight").size() == 24 * (10 + 1180 + 60));

  // What it wrote converts to the same model again.
  converter::ConvertOptions convert;
  convert.weights = folder / "whole/weights.safetensors";
  convert.vectors = folder / "whole/token_vectors.safetensors";
  convert.languages = folder / "whole/languages.json";
  convert.strict = true;
  converter::convert(convert, folder / "again.kinglet");
  CHECK(read_file(folder / "again.kinglet") == read_file(folder / "whole/model.kinglet"));

  options.output = folder / "stopped";
  stop_half_way(options);
  CHECK(train::train(options).resumed);
  CHECK(same_results(folder / "whole", options.output));

  options.output = folder / "refused";
  options.settings.feature_set.sketch_norm = fbs::SketchNorm::tweet;
  CHECK(error_of([&] { train::train(options); }).starts_with("--sketch-norm: "));
  options = small_training(folder.path(), "refused");
  options.vectors = folder / "vectors";
  CHECK(error_of([&] { train::train(options); }).find("either a codebook or token vectors") !=
        std::string::npos);
  options.codebook.clear();
  test::write_file(folder / "vectors", "5000 1\n6000 2\n");
  CHECK(error_of([&] { train::train(options); }).find("vectors: knows none of the rows' ") !=
        std::string::npos);
}

TEST_CASE("a reaction that comes a year late leaves the periods as they are") {
  const TempDir folder;
  write_training_data(folder.path());
  TrainOptions options = small_training(folder.path(), "out");
  options.valid.clear();
  options.settings.history_periods = 4;
  options.settings.half_life = 0;  // else newer days weigh more
  options.settings.epochs = 1;
  train::train(options);

  // Of the last row with a like, which the last period has whatever its day.
  const std::filesystem::path part = std::filesystem::directory_iterator(folder / "world/train")->path();
  std::string text = read_file(part);
  size_t end = text.size() - 1;
  while (text[end - 1] == '\x01') end = text.rfind('\n', end - 1);
  const size_t begin = text.rfind('\x01', end) + 1;
  const int64_t liked = std::stoll(text.substr(begin, end - begin));
  text.replace(begin, end - begin, std::to_string(liked + 365 * 86'400));
  test::write_file(part, text);
  options.output = folder / "late";
  train::train(options);
  CHECK(read_file(folder / "late/weights.safetensors") == read_file(folder / "out/weights.safetensors"));
}

TEST_CASE("a feature group that is off leaves weights of zero") {
  const TempDir folder;
  write_training_data(folder.path());
  TrainOptions options = small_training(folder.path(), "out");
  options.settings.features = {.interactions = false,
                               .similar = false,
                               .content = true,
                               .calendar = false,
                               .accounts = false,
                               .text = false};
  options.settings.epochs = 1;
  options.valid.clear();
  train::train(options);
  const size_t inputs = 64 + 1180 + 60;
  const auto is_off = [](size_t input) {
    if (input < 64) return true;  // the sketch
    const size_t plain = input - 64;
    if (plain < 65 * 16) return true;      // the history's values
    if (plain < 67 * 16) return false;     // hashtags, tokens
    if (plain < 73 * 16 + 3) return true;  // accounts' numbers, then their flags
    return plain >= 1180 + 20;             // the hour's and the day's embeddings
  };
  for (const char* name : {"l1.weight", "projection.weight"}) {
    const std::vector<float> values = weights(folder / "out", name);
    REQUIRE(values.size() == 24 * inputs);
    size_t wrong = 0;
    for (size_t i = 0; i < values.size(); ++i) wrong += (values[i] == 0) != is_off(i % inputs) ? 1 : 0;
    CHECK(wrong == 0);
  }
}

TEST_CASE("a warm start takes weights and languages; new languages get the row of unknown ones") {
  const TempDir folder;
  write_training_data(folder.path());
  train::train(small_training(folder.path(), "old"));
  write_rows(folder / "more", 10, "5", kLiked);
  TrainOptions options = small_training(folder.path(), "new");
  options.train.push_back(folder / "more");
  options.initial = folder / "old/weights.safetensors";
  options.settings.epochs = 0;
  options.settings.valid_epochs = 0;
  const train::TrainReport report = train::train(options);
  CHECK(report.passes.empty());
  CHECK(weights(folder / "new", "l1.weight") == weights(folder / "old", "l1.weight"));
  CHECK(weights(folder / "new", "bn3.running_var") == weights(folder / "old", "bn3.running_var"));
  const auto old_languages = converter::read_languages(folder / "old/languages.json");
  const auto new_languages = converter::read_languages(folder / "new/languages.json");
  REQUIRE(new_languages.size() == old_languages.size() + 1);
  CHECK(std::equal(old_languages.begin(), old_languages.end(), new_languages.begin()));
  CHECK(new_languages.back().first == "en");
  std::vector<float> expected = weights(folder / "old", "language.weight");
  const std::vector<float> unknown(expected.end() - 20, expected.end());
  expected.insert(expected.end(), unknown.begin(), unknown.end());
  CHECK(weights(folder / "new", "language.weight") == expected);

  options.settings.hidden = 25;
  options.output = folder / "other";
  CHECK(error_of([&] { train::train(options); }).find("expected [") != std::string::npos);
}

TEST_CASE("the base rates' log-odds as output biases") {
  const TempDir folder;
  write_training_data(folder.path());
  TrainOptions options = small_training(folder.path(), "out");
  options.settings.base_rate_bias = true;
  options.settings.output_scale = 0;
  options.settings.epochs = 0;
  options.valid.clear();
  train::train(options);
  const auto json = nlohmann::json::parse(read_file(folder / "out/report.json"));
  const double rate = json["positives"]["train"]["like"].get<double>() / json["rows"]["train"].get<double>();
  CHECK(static_cast<double>(weights(folder / "out", "l_output.bias")[0]) ==
        doctest::Approx(std::log(rate / (1 - rate))).epsilon(1e-6));
  const std::vector<float> output = weights(folder / "out", "l_output.weight");
  CHECK(std::all_of(output.begin(), output.end(), [](float value) { return value == 0; }));
}

TEST_CASE("a flip penalty leaves fewer hidden units below 0") {
  const TempDir folder;
  write_training_data(folder.path());
  TrainOptions options = small_training(folder.path(), "free");
  options.settings.epochs = 8;
  options.settings.rate = 1e-2;
  train::train(options);
  options.output = folder / "pushed";
  options.settings.flip_penalty = 1e-3;
  const train::TrainReport report = train::train(options);
  const double free = share_below_zero(folder / "free", options);
  const double pushed = share_below_zero(folder / "pushed", options);
  MESSAGE("below 0: " << free << ", with a penalty " << pushed);
  CHECK(free > 0.1);
  CHECK(pushed < 0.5 * free);
  CHECK(report.passes.back().loss < report.passes.front().loss);  // of the labels alone
}

TEST_CASE("rows and codebooks that nothing can be learned from") {
  const TempDir folder;
  test::write_file(folder / "codebook.json", "{\"7\": [3, 20]}");
  TrainOptions options = small_training(folder.path(), "out");
  options.valid.clear();
  options.train = {folder / "rows"};

  write_rows(folder / "rows", 10, "7", kNoLabels);
  CHECK(error_of([&] { train::train(options); }) ==
        "no training row has a like, retweet, quote or reply: there is nothing to learn");
  write_rows(folder / "rows", 1, "7", kLiked);
  CHECK(error_of([&] { train::train(options); }) == "one training row: batch normalisation needs 2 or more");
  write_rows(folder / "rows", 10, "8", kLiked);
  CHECK(error_of([&] { train::train(options); }).find("codebook.json: knows none of the rows' 10 tokens") !=
        std::string::npos);
  write_rows(folder / "rows", 10, "word", kLiked);
  CHECK(error_of([&] { train::train(options); }).find("rows") != std::string::npos);
  options.train = {folder / "missing"};
  CHECK(error_of([&] { train::train(options); }).find("missing") != std::string::npos);

  write_rows(folder / "rows", 10, "7", kLiked);
  options.train = {folder / "rows"};
  test::write_file(folder / "codebook.json", "{\"7\": [3, 32]}");
  CHECK(error_of([&] { train::train(options); })
            .find("token 7: code 32 at depth 1, expected 16 to 31: the codebook was made for another --width "
                  "than 16") != std::string::npos);
  test::write_file(folder / "codebook.json", "{}");
  options.settings.epochs = 1;
  CHECK(train::train(options).passes.size() == 1);  // all rows alike: every feature is constant
}

TEST_CASE("a loss that is not a number stops the training and says where; settings out of range") {
  const TempDir folder;
  write_training_data(folder.path());
  TrainOptions options = small_training(folder.path(), "out");
  options.settings.rate = 1e3;
  options.settings.weight_decay = 1e3;
  const std::string message = error_of([&] { train::train(options); });
  CHECK(message.find("stage 1, epoch 1 of 2: batch ") == 0);
  CHECK(message.find("the loss is not a number") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "out/weights.safetensors"));

  options.settings.rate = -1;
  CHECK(error_of([&] { train::train(options); }) == "--rate: -1, expected 0 to 1000");
  options.settings = {};
  options.settings.batch = 1;
  CHECK(error_of([&] { train::train(options); }) == "--batch: 1, expected 2 to 65536");
  options.settings = {};
  options.settings.features = {false, false, false, false, false, false};
  CHECK(error_of([&] { train::train(options); }) == "--features: expected at least one group");
}

TEST_CASE("a full disk leaves the last checkpoint and the results of earlier trainings as they were") {
  const TempDir folder;
  write_training_data(folder.path());
  TrainOptions options = small_training(folder.path(), "out");
  train::train(options);
  const std::string before = read_file(folder / "out/model.kinglet");
  options.settings.seed = 2;
  stop_half_way(options);
  const std::string checkpoint = read_file(folder / "out/checkpoint.kgl");
  {
    options.checkpoint_seconds = 0;
    const test::FileSizeLimit limit(checkpoint.size() - 1);
    CHECK(error_of([&] { train::train(options); }).ends_with("checkpoint.kgl: cannot write: File too large"));
  }
  CHECK(read_file(folder / "out/checkpoint.kgl") == checkpoint);
  CHECK(read_file(folder / "out/model.kinglet") == before);
}
