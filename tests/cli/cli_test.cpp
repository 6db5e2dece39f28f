// The program itself, from the outside: what it prints, how it exits, which files it leaves.

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/process.h"
#include "support/support.h"
#include "synthetic/synthetic.h"

using namespace kinglet::synthetic;
using namespace kinglet::test;

namespace {

constexpr int kOk = 0;
constexpr int kFailed = 1;  // the work could not be done
constexpr int kUsage = 2;   // the command line was not understood

constexpr int64_t kStart = 1'612'396'800;  // 4 February 2021
constexpr int64_t kDay = 86'400;

struct Verb {
  std::vector<std::string> words;
  std::vector<std::string> flags;
};

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {
      {{"convert"},
       {"--weights", "--codebook", "--vectors", "--languages", "--strict", "--output", "--precision",
        "--calibrate", "--history", "--calibrate-rows", "--frequent-bytes", "--fold"}},
      {{"inspect"}, {"--json"}},
      {{"verify"}, {}},
      {{"history", "build"}, {"--train", "--valid", "--holdout-every", "--memory", "--output"}},
      {{"features"}, {"--train", "--valid", "--holdout-every", "--split", "--output"}},
      {{"score"}, {"--model", "--history", "--output"}},
      {{"bench"},
       {"--model", "--history", "--json", "--isa", "--rounds", "--minimum-tokens", "--max-rows", "--repeat"}},
  };
  return all;
}

ProcessResult invoke(std::vector<std::string> arguments, const ProcessLimits& limits = {}) {
  arguments.insert(arguments.begin(), KINGLET_PROGRAM);
  return run_process(arguments, limits);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

/// Everything the program reads, small: a network of hidden size 32, 400 rows of 26 days, 60 and 50 more.
class Inputs {
 public:
  Inputs() {
    SyntheticWorld world;
    using Labels = SyntheticWorld::Labels;
    write_rows(world, folder_ / "train", 2, 400, kStart, kStart + 26 * kDay, Labels::yes);
    write_rows(world, folder_ / "valid", 1, 60, kStart + 26 * kDay, kStart + 27 * kDay, Labels::yes);
    write_rows(world, folder_ / "rows", 2, 50, kStart + 27 * kDay, kStart + 28 * kDay, Labels::no);
    NetworkOptions network;
    network.hidden = 32;
    write_checkpoint(network, folder_ / "weights.safetensors");
    write_codebook(network, 30'522, folder_ / "codebook.json");
    write_languages(world.language_names(), folder_ / "languages.json");
  }

  std::string path(std::string_view name) const { return (folder_ / name).string(); }
  bool exists(std::string_view name) const { return std::filesystem::exists(folder_ / name); }
  std::string text(std::string_view name) const { return read_file(folder_ / name); }
  void write(std::string_view name, std::string_view bytes) const { write_file(folder_ / name, bytes); }

  std::set<std::string> listing() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }

  std::vector<std::string> convert(std::string_view to) const {
    return {"convert",
            "--weights",
            path("weights.safetensors"),
            "--codebook",
            path("codebook.json"),
            "--languages",
            path("languages.json"),
            "-o",
            path(to)};
  }
  std::vector<std::string> history(std::string_view to) const {
    return {"history", "build", "--train", path("train"), "--valid", path("valid"), "-o", path(to)};
  }
  std::vector<std::string> features(std::string_view split, std::string_view to) const {
    return {"features", "--train",          path("train"), "--valid", path("valid"),
            "--split",  std::string(split), "-o",          path(to)};
  }
  std::vector<std::string> score(std::string_view rows = "rows") const {
    return {"score", "--model", path("model"), "--history", path("history"), path(rows)};
  }
  std::vector<std::string> calibrated(std::string_view to, std::string_view precision,
                                      std::string_view rows = "valid") const {
    std::vector<std::string> arguments = convert(to);
    for (const std::string& more :
         {std::string("--precision"), std::string(precision), std::string("--calibrate"), path(rows),
          std::string("--history"), path("history")})
      arguments.push_back(more);
    return arguments;
  }
  void make_model_and_history() const {
    REQUIRE(invoke(convert("model")).exit_code == kOk);
    REQUIRE(invoke(history("history")).exit_code == kOk);
  }

 private:
  TempDir folder_;
};

std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// The verb fails, says so in one line that names `culprit`, prints nothing else, and adds no file.
void check_refused(const Inputs& inputs, const std::vector<std::string>& arguments,
                   const std::string& culprit, const ProcessLimits& limits = {}) {
  CAPTURE(arguments);
  const auto before = inputs.listing();
  const ProcessResult result = invoke(arguments, limits);
  CAPTURE(result.err);
  CHECK(result.exit_code == kFailed);
  CHECK(result.out.empty());
  const auto lines = lines_of(result.err);
  REQUIRE(!lines.empty());
  CHECK(lines.back().starts_with("kinglet: "));
  CHECK(lines.back().find(culprit) != std::string::npos);
  CHECK(inputs.listing() == before);
}

}  // namespace

TEST_CASE("every verb explains itself, with all its flags") {
  for (const Verb& verb : verbs()) {
    const ProcessResult help = invoke(with(verb.words, {"--help"}));
    CAPTURE(help.out);
    CHECK(help.exit_code == kOk);
    CHECK(help.err.empty());
    for (const std::string& flag : verb.flags) CHECK(help.out.find(flag) != std::string::npos);
  }
}

TEST_CASE("the program lists its verbs and knows its version") {
  const ProcessResult help = invoke({"--help"});
  CHECK(help.exit_code == kOk);
  for (const Verb& verb : verbs()) CHECK(help.out.find(verb.words[0]) != std::string::npos);
  const ProcessResult version = invoke({"--version"});
  CHECK(version.exit_code == kOk);
  CHECK(version.out == "kinglet " KINGLET_VERSION "\n");
}

TEST_CASE("a command line that is not understood exits with 2 and touches nothing") {
  const Inputs inputs;
  const auto before = inputs.listing();
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"conjure"},
      {"history"},
      {"convert", "--weights", inputs.path("weights.safetensors")},
      with(inputs.convert("model"), {"--fast"}),
      with(inputs.convert("model"), {"--precision", "int3"}),
      with(inputs.convert("model"), {"--fold", "1"}),
      with(inputs.convert("model"), {"--frequent-bytes", "1M"}),
      with(inputs.convert("model"), {"--calibrate", inputs.path("valid")}),
      with(inputs.convert("model"), {"--history", inputs.path("train")}),
      with(inputs.calibrated("model", "int8"), {"--fold", "4"}),
      with(inputs.calibrated("model", "int8"), {"--frequent-bytes", "many"}),
      with(inputs.convert("model"), {"--precision", "fp64"}),
      with(inputs.history("history"), {"--holdout-every", "often"}),
      with(inputs.history("history"), {"--memory", "plenty"}),
      inputs.features("sideways", "features.tsv"),
      {"score", "--model", inputs.path("model"), "--history", inputs.path("history")},
  };
  for (const auto& arguments : wrong) {
    CAPTURE(arguments);
    const ProcessResult result = invoke(arguments);
    CAPTURE(result.err);
    CHECK(result.exit_code == kUsage);
    CHECK(result.out.empty());
    CHECK(!result.err.empty());
  }
  CHECK(inputs.listing() == before);
}

TEST_CASE("from a checkpoint and rows to probabilities") {
  const Inputs inputs;
  inputs.make_model_and_history();
  CHECK(invoke({"verify", inputs.path("model")}).exit_code == kOk);

  const ProcessResult scored = invoke(inputs.score());
  CAPTURE(scored.err);
  REQUIRE(scored.exit_code == kOk);
  const auto lines = lines_of(scored.out);
  REQUIRE(lines.size() == 51);
  CHECK(lines[0] == "tweet_id,engaging_user_id,reply,retweet,retweet_with_comment,like");
  const auto rows = lines_of(inputs.text("rows/part-00000") + inputs.text("rows/part-00001"));
  std::set<std::string> distinct;
  for (size_t i = 0; i < rows.size(); ++i) {
    std::array<char, 64> tweet{};
    std::array<char, 64> reader{};
    std::array<double, 4> p{};
    REQUIRE(std::sscanf(lines[i + 1].c_str(), "%63[^,],%63[^,],%lf,%lf,%lf,%lf", tweet.data(), reader.data(),
                        &p[0], &p[1], &p[2], &p[3]) == 6);
    CHECK(rows[i].find('\x01' + std::string(tweet.data()) + '\x01') != std::string::npos);
    CHECK(rows[i].find('\x01' + std::string(reader.data()) + '\x01') != std::string::npos);
    CHECK(*std::min_element(p.begin(), p.end()) > 0);
    CHECK(*std::max_element(p.begin(), p.end()) < 1);
    distinct.insert(lines[i + 1].substr(lines[i + 1].find(',', 40)));
  }
  CHECK(distinct.size() > 40);

  REQUIRE(invoke(with(inputs.score(), {"-o", inputs.path("scores.csv")})).exit_code == kOk);
  CHECK(inputs.text("scores.csv") == scored.out);
}

TEST_CASE("the same inputs give the same bytes") {
  const Inputs inputs;
  inputs.make_model_and_history();
  REQUIRE(invoke(inputs.convert("model2")).exit_code == kOk);
  REQUIRE(invoke(inputs.history("history2")).exit_code == kOk);
  CHECK(inputs.text("model") == inputs.text("model2"));
  CHECK(inputs.text("history") == inputs.text("history2"));
}

TEST_CASE("convert tells what a precision costs on the calibration rows") {
  const Inputs inputs;
  inputs.make_model_and_history();
  for (const std::string precision : {"fp32", "bf16", "fp16", "int8", "mixed", "int4"}) {
    CAPTURE(precision);
    const ProcessResult text = invoke(with(inputs.calibrated("narrow", precision), {"--fold", "2"}));
    CAPTURE(text.err);
    REQUIRE(text.exit_code == kOk);
    for (const char* part : {"calibration (60 rows)", "bytes read a row", "rows of frequent values",
                             "folded hidden layers      2", "units off their usual side", "logits", "AP fp32",
                             "RCE fp32", "like", "retweet"}) {
      CAPTURE(part);
      CHECK(text.out.find(part) != std::string::npos);
    }
    CHECK(invoke({"verify", inputs.path("narrow")}).exit_code == kOk);
    if (precision != "int4") continue;
    CHECK(text.out.find("side bits of the sketch   4") != std::string::npos);
    const std::string inspected = invoke({"inspect", inputs.path("narrow")}).out;
    CHECK(inspected.find("of 4 bits") != std::string::npos);
  }
}

TEST_CASE("convert --json: the calibration's layers, reactions and what loses") {
  const Inputs inputs;
  inputs.make_model_and_history();
  const auto report = [&](const std::vector<std::string>& more, std::string_view rows = "valid") {
    const ProcessResult result =
        invoke(with(with(inputs.calibrated("narrow", "int8", rows), more), {"--json"}));
    REQUIRE(result.exit_code == kOk);
    return nlohmann::json::parse(result.out);
  };
  const auto json = report({"--fold", "3", "--calibrate-rows", "40"});
  CHECK(json.at("precision") == "int8");
  const auto& calibration = json.at("calibration");
  CHECK(calibration.at("rows") == 40);
  CHECK(calibration.at("folded_layers") == 3);
  CHECK(calibration.at("flips").size() == 3);
  CHECK(calibration.at("frequent_rows") > 0);
  CHECK(calibration.at("bytes_mean") > 0);
  CHECK(calibration.at("bytes_p99") >= calibration.at("bytes_mean"));
  CHECK(calibration.at("dense_bytes_mean") > 0);
  CHECK(calibration.at("dense_bytes_p99") >= calibration.at("dense_bytes_mean"));
  for (const auto& layer : calibration.at("layers")) {
    CHECK(layer.at("error_rms") <= layer.at("error_largest"));
    const double relative = layer.at("error_rms").get<double>() / layer.at("magnitude_rms").get<double>();
    CHECK(layer.at("relative").get<double>() == doctest::Approx(relative));
  }
  REQUIRE(calibration.at("reactions").size() == 4);
  std::vector<std::string> losing;
  for (const char* name : {"like", "reply", "retweet", "quote"}) {
    const auto& reaction = calibration.at("reactions").at(name);
    if (reaction.contains("note")) continue;
    const double before = reaction.at("before").at("average_precision");
    const double after = reaction.at("after").at("average_precision");
    const double change = reaction.at("average_precision_change_percent");
    CHECK(change == doctest::Approx(100 * (after - before) / before));
    if (change < -0.1 || reaction.at("relative_cross_entropy_change") < -0.1) losing.emplace_back(name);
  }
  CHECK(calibration.at("losing").get<std::vector<std::string>>() == losing);

  // Rows without labels have no metrics; conversions without calibration no report of one.
  const auto unlabelled = report({"--fold", "0"}, "rows").at("calibration");
  CHECK(unlabelled.at("rows") == 100 / 2);
  CHECK(!unlabelled.contains("reactions"));
  CHECK(!unlabelled.contains("flips"));
  const ProcessResult plain = invoke(with(inputs.convert("plain"), {"--json"}));
  CHECK(!nlohmann::json::parse(plain.out).contains("calibration"));
}

TEST_CASE("a calibration that cannot be made is refused by name") {
  const Inputs inputs;
  inputs.make_model_and_history();
  check_refused(inputs, inputs.calibrated("new", "int8", "absent"), inputs.path("absent"));
  check_refused(inputs, with(inputs.calibrated("new", "int8"), {"--calibrate-rows", "0"}),
                "--calibrate-rows");
  inputs.write("empty", "");
  check_refused(inputs, inputs.calibrated("new", "int8", "empty"), inputs.path("empty"));
  inputs.write("history", inputs.text("model"));
  check_refused(inputs, inputs.calibrated("new", "int8"), inputs.path("history"));
}

TEST_CASE("inspect names every tensor, as text and as JSON") {
  const Inputs inputs;
  REQUIRE(invoke(inputs.convert("model")).exit_code == kOk);
  const ProcessResult text = invoke({"inspect", inputs.path("model")});
  const ProcessResult json = invoke({"inspect", "--json", inputs.path("model")});
  REQUIRE(text.exit_code == kOk);
  REQUIRE(json.exit_code == kOk);
  const auto model = nlohmann::json::parse(json.out);
  REQUIRE(!model.at("tensors").empty());
  uint64_t bytes = 0;
  for (const auto& tensor : model.at("tensors")) {
    CHECK(text.out.find(tensor.at("name").get<std::string>()) != std::string::npos);
    CHECK(!tensor.at("shape").empty());
    bytes += tensor.at("bytes").get<uint64_t>();
  }
  CHECK(bytes < inputs.text("model").size());
  CHECK(bytes > inputs.text("model").size() / 2);
}

TEST_CASE("inspect shows what a model was calibrated with") {
  const Inputs inputs;
  REQUIRE(invoke(inputs.history("history")).exit_code == kOk);
  REQUIRE(invoke(inputs.calibrated("model", "int8")).exit_code == kOk);
  const ProcessResult text = invoke({"inspect", inputs.path("model")});
  const auto model = nlohmann::json::parse(invoke({"inspect", "--json", inputs.path("model")}).out);
  std::vector<std::string> roles;
  for (const auto& source : model.at("provenance").at("sources")) {
    roles.push_back(source.at("role"));
    CHECK(text.out.find(roles.back()) != std::string::npos);
    CHECK(text.out.find(source.at("xxh3_128").get<std::string>()) != std::string::npos);
  }
  CHECK(roles == std::vector<std::string>{"weights", "codebook", "languages", "calibration rows",
                                          "calibration history"});
  // The types and packings of a model that is not all floats.
  std::map<std::string, std::pair<std::string, std::string>> tensors;
  for (const auto& tensor : model.at("tensors"))
    tensors[tensor.at("name")] = {tensor.at("type"), tensor.at("packing")};
  CHECK(tensors.at("sketch.rows") == std::pair<std::string, std::string>{"s8", "rows"});
  CHECK(tensors.at("hidden4.weights") == std::pair<std::string, std::string>{"s8", "quads of 32"});
  CHECK(tensors.at("logits.weights") == std::pair<std::string, std::string>{"f32", "panels of 16"});
  CHECK(tensors.at("codebook").first == "u16");
}

TEST_CASE("token vectors take the codebook's place: converted, inspected, verified and scored with") {
  const Inputs inputs;
  std::string line;
  for (int d = 0; d < 20 * 256; ++d) line += d % 2 == 0 ? " 1.5" : " -0.25";
  inputs.write("vectors", "101" + line + "\n102" + line + "\n");
  auto arguments = inputs.convert("model");
  CHECK(invoke(with(arguments, {"--vectors", inputs.path("vectors")})).exit_code == 2);
  std::replace(arguments.begin(), arguments.end(), std::string("--codebook"), std::string("--vectors"));
  std::replace(arguments.begin(), arguments.end(), inputs.path("codebook.json"), inputs.path("vectors"));
  check_refused(inputs, with(arguments, {"--sketch-norm", "tweet"}), "--vectors: ");
  const ProcessResult converted = invoke(with(arguments, {"--json"}));
  REQUIRE(converted.exit_code == kOk);
  const auto report = nlohmann::json::parse(converted.out);
  CHECK(report.at("dimensions") == 5'120);
  CHECK(report.at("tokens_with_vectors") == 2);
  const auto model = nlohmann::json::parse(invoke({"inspect", "--json", inputs.path("model")}).out);
  CHECK(model.at("layout").at("token_mean").at("dimensions") == 5'120);
  CHECK(invoke({"inspect", inputs.path("model")}).out.find("mean of token vectors of 5120") !=
        std::string::npos);
  CHECK(invoke({"verify", inputs.path("model")}).exit_code == kOk);
  REQUIRE(invoke(inputs.history("history")).exit_code == kOk);
  CHECK(lines_of(invoke(inputs.score()).out).size() == 51);  // and the header
}

TEST_CASE("features writes a line a row of each split") {
  const Inputs inputs;
  const auto count = [&](std::string_view split) {
    REQUIRE(invoke(inputs.features(split, "features.tsv")).exit_code == kOk);
    const auto lines = lines_of(inputs.text("features.tsv"));
    for (const std::string& line : lines) CHECK(std::count(line.begin(), line.end(), '\t') == 4 + 65 - 1);
    return lines.size();
  };
  CHECK(count("train") == 400);
  CHECK(count("valid") == 54);
  CHECK(count("holdout") == 6);
}

TEST_CASE("a missing file is named, and nothing is written") {
  const Inputs inputs;
  inputs.make_model_and_history();
  for (const char* name : {"weights.safetensors", "codebook.json", "languages.json"}) {
    auto arguments = inputs.convert("new");
    std::replace(arguments.begin(), arguments.end(), inputs.path(name), inputs.path("absent"));
    check_refused(inputs, arguments, inputs.path("absent"));
  }
  check_refused(inputs, {"inspect", inputs.path("absent")}, inputs.path("absent"));
  check_refused(inputs, {"verify", inputs.path("absent")}, inputs.path("absent"));
  check_refused(inputs, {"history", "build", "--train", inputs.path("absent"), "-o", inputs.path("new")},
                inputs.path("absent"));
  check_refused(inputs, inputs.score("absent"), inputs.path("absent"));
  for (const char* name : {"model", "history"}) {
    auto arguments = inputs.score();
    std::replace(arguments.begin(), arguments.end(), inputs.path(name), inputs.path("absent"));
    check_refused(inputs, with(arguments, {"-o", inputs.path("new")}), inputs.path("absent"));
  }
}

TEST_CASE("a file of the wrong kind is refused") {
  const Inputs inputs;
  inputs.make_model_and_history();
  check_refused(inputs, {"verify", inputs.path("history")}, inputs.path("history"));
  check_refused(inputs,
                {"score", "--model", inputs.path("history"), "--history", inputs.path("history"),
                 inputs.path("rows"), "-o", inputs.path("new")},
                inputs.path("history"));
  check_refused(inputs,
                {"score", "--model", inputs.path("model"), "--history", inputs.path("model"),
                 inputs.path("rows"), "-o", inputs.path("new")},
                inputs.path("model"));
}

TEST_CASE("a broken row is named by file and line, and an old result stays") {
  const Inputs inputs;
  inputs.make_model_and_history();
  inputs.write("rows/part-00001", lines_of(inputs.text("rows/part-00001"))[0] + "\nnonsense\n");
  inputs.write("scores.csv", "yesterday's");
  check_refused(inputs, with(inputs.score(), {"-o", inputs.path("scores.csv")}), "part-00001: line 2");
  CHECK(inputs.text("scores.csv") == "yesterday's");
}

TEST_CASE("verify finds a changed weight") {
  const Inputs inputs;
  REQUIRE(invoke(inputs.convert("model")).exit_code == kOk);
  std::string bytes = inputs.text("model");
  bytes[bytes.size() - 100'000] ^= 1;
  inputs.write("model", bytes);
  check_refused(inputs, {"verify", inputs.path("model")}, inputs.path("model"));
}

TEST_CASE("a full disk fails every writer and leaves nothing behind") {
  const Inputs inputs;
  inputs.make_model_and_history();
  const ProcessLimits full{.file_bytes = 2'048};
  check_refused(inputs, inputs.convert("new"), inputs.path("new"), full);
  check_refused(inputs, inputs.history("new"), "", full);
  check_refused(inputs, inputs.features("train", "new"), "", full);
  check_refused(inputs, with(inputs.score(), {"-o", inputs.path("new")}), inputs.path("new"), full);
}

TEST_CASE("a reader of the scores that leaves early ends the program without a complaint") {
  const Inputs inputs;
  inputs.make_model_and_history();
  std::string rows;
  for (int i = 0; i < 40; ++i) rows += inputs.text("rows/part-00000");
  inputs.write("many", rows);
  const std::string command = "'" KINGLET_PROGRAM "' score --model '" + inputs.path("model") +
                              "' --history '" + inputs.path("history") + "' '" + inputs.path("many") +
                              "' | head -n 1";
  const ProcessResult result = run_process({"/bin/sh", "-c", command});
  CHECK(lines_of(result.out).size() == 1);
  CHECK(result.err.empty());
}
