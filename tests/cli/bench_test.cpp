// `kinglet bench` from the outside: what its report holds, and what it refuses. No time is asserted.

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/process.h"
#include "support/small_world.h"

using namespace kinglet::test;
using nlohmann::json;

namespace {

constexpr size_t kRows = 50;  // that SmallWorld gives to be scored

class Inputs {
 public:
  Inputs() : world_(folder_, 4 * kRows) {
    kinglet::synthetic::NetworkOptions network;
    network.hidden = 32;
    write_model(folder_, network, 30'522);
  }

  std::string path(std::string_view name) const { return (folder_ / name).string(); }
  std::string rows() const { return world_.score.string(); }

  ProcessResult bench(const std::vector<std::string>& more, std::string_view model = "model.kinglet") const {
    std::vector<std::string> arguments = {KINGLET_PROGRAM, "bench",     "--model",
                                          path(model),     "--history", path("history.kinglet")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_process(arguments);
  }

  json report(std::vector<std::string> more) const {
    more.insert(more.begin(), {rows(), "--json"});
    const ProcessResult result = bench(more);
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    CHECK(result.err.empty());
    return json::parse(result.out);
  }

  void check_refused(const std::vector<std::string>& more, const std::string& culprit,
                     std::string_view model = "model.kinglet") const {
    const ProcessResult result = bench(more, model);
    CAPTURE(result.err);
    CHECK(result.exit_code == 1);
    CHECK(result.out.empty());
    CHECK(result.err.starts_with("kinglet: "));
    CHECK(result.err.find(culprit) != std::string::npos);
  }

 private:
  TempDir folder_;
  SmallWorld world_;
};

/// Quantiles are there where the samples suffice, positive and in order.
void check_quantiles(const json& quantiles, size_t samples) {
  CAPTURE(quantiles.dump());
  CHECK(quantiles.at("samples") == samples);
  double last = 0;
  struct Entry {
    const char* key;
    size_t needed;
  };
  for (const Entry& entry :
       {Entry{"min_us", 1}, {"p50_us", 1}, {"p90_us", 10}, {"p99_us", 100}, {"p999_us", 1'000}}) {
    const json& value = quantiles.at(entry.key);
    REQUIRE(value.is_null() == (samples < entry.needed));
    if (value.is_null()) continue;
    CHECK(value.get<double>() > 0);
    CHECK(value.get<double>() >= last);
    last = value;
  }
}

void check_stages(const json& stages, size_t samples) {
  CHECK(stages.size() == 7);
  for (const char* stage : {"parse", "history", "features", "first_layer", "hidden", "output", "score"}) {
    CAPTURE(stage);
    check_quantiles(stages.at(stage), samples);
  }
}

}  // namespace

TEST_CASE("the report has every key, and null where samples do not suffice") {
  const Inputs inputs;
  const json report =
      inputs.report({"--rounds", "3", "--cold-rows", "7", "--loads", "10", "--repeat", "120"});
  CHECK(report.at("model") == inputs.path("model.kinglet"));
  CHECK(report.at("precision") == "fp32");
  CHECK(report.at("layout") == "recsys2021");
  CHECK(report.at("model_bytes") == std::filesystem::file_size(inputs.path("model.kinglet")));
  CHECK(!report.at("cpu").get<std::string>().empty());
  CHECK(!report.at("instruction_set").get<std::string>().empty());
  CHECK(report.at("rows") == kRows);
  CHECK(report.at("rounds") == 3);
  check_quantiles(report, 3 * kRows);
  check_stages(report.at("stages"), 3 * kRows);
  check_quantiles(report.at("cold"), 7);
  check_stages(report.at("cold_stages"), 7);
  check_quantiles(report.at("load"), 10);
  check_quantiles(report.at("repeat").at("score"), 120);
  check_quantiles(report.at("repeat").at("loop"), 120);
  CHECK(report.at("repeat").at("ratio").is_null());  // 120 samples have no 99.9th percentile
  CHECK(report.at("probe").at("bytes").get<uint64_t>() > 0);
  CHECK(report.at("probe").at("gb_per_s").get<double>() > 0);
  CHECK(report.at("bytes_touched").get<double>() > 0);
  CHECK(report.at("bytes_touched").get<double>() < report.at("model_bytes").get<double>());
  CHECK(report.at("bytes_touched_p99").is_null());  // 50 rows
  CHECK(report.at("bandwidth_share").get<double>() > 0);
#ifdef KINGLET_TEST_SANITIZED
  CHECK(report.at("allocations").is_null());
#else
  CHECK(report.at("allocations") == 0);
#endif
}

TEST_CASE("what is not asked for is not measured") {
  const Inputs inputs;
  const json report = inputs.report({"--rounds", "1", "--cold-rows", "0", "--loads", "0", "--max-rows", "9"});
  CHECK(report.at("rows") == 9);
  check_quantiles(report, 9);
  check_quantiles(report.at("cold"), 0);
  check_stages(report.at("cold_stages"), 0);
  check_quantiles(report.at("load"), 0);
  CHECK(report.at("repeat").is_null());
  CHECK(report.at("ranking").is_null());
}

TEST_CASE("prepared tweets are ranked for one reader where that is asked for") {
  const Inputs inputs;
  const auto report = inputs.report({"--rounds", "2", "--cold-rows", "0", "--loads", "0", "--rank", "3"});
  const auto& ranking = report.at("ranking");
  CHECK(ranking.at("tweets_for_a_reader") == 3);
  const uint64_t groups = report.at("rows").get<uint64_t>() / 3;
  check_quantiles(ranking.at("candidate"), 2 * groups);
  check_quantiles(ranking.at("prepared_pair"), 2 * groups * 3);
  check_quantiles(ranking.at("prepare_tweet"), 2 * groups * 3);
}

TEST_CASE("a thousand samples have a 99.9th percentile, and repeats then a ratio") {
  const Inputs inputs;
  const json report =
      inputs.report({"--rounds", "20", "--cold-rows", "0", "--loads", "0", "--repeat", "1000"});
  check_quantiles(report, 20 * kRows);
  CHECK(report.at("repeat").at("ratio").get<double>() > 0);
}

TEST_CASE("the text names the stages, the CPU's instruction set and what was found") {
  const Inputs inputs;
  const ProcessResult result =
      inputs.bench({inputs.rows(), "--rounds", "1", "--repeat", "20", "--isa", "scalar"});
  CAPTURE(result.out);
  CHECK(result.exit_code == 0);
  CHECK(result.err.empty());
  for (const char* part : {"kernels for scalar", "parse", "history", "features", "score", "first_layer",
                           "hidden", "output", "a row, cold", "open and score", "one row again", "GB/s"}) {
    CHECK(result.out.find(part) != std::string::npos);
  }
}

TEST_CASE("the instruction set is the caller's choice, where there is such a one") {
  const Inputs inputs;
  CHECK(inputs.report({"--isa", "scalar", "--rounds", "1"}).at("instruction_set") == "scalar");
  inputs.check_refused({inputs.rows(), "--isa", "mmx"}, "mmx");
#if defined(__x86_64__)
  inputs.check_refused({inputs.rows(), "--isa", "neon"}, "neon");
#else
  inputs.check_refused({inputs.rows(), "--isa", "avx2"}, "avx2");
#endif
}

TEST_CASE("bad input is named") {
  const Inputs inputs;
  inputs.check_refused({inputs.path("absent")}, inputs.path("absent"));
  inputs.check_refused({inputs.rows(), "--minimum-tokens", "100000"}, "100000 tokens");
  inputs.check_refused({inputs.rows()}, inputs.path("absent"), "absent");
  write_file(inputs.path("broken"), "nonsense\n");
  inputs.check_refused({inputs.path("broken")}, "broken: line 1");
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{},
                                                {inputs.rows(), "--rounds", "0"},
                                                {inputs.rows(), "--max-rows", "0"},
                                                {inputs.rows(), "--repeat", "often"}}) {
    const ProcessResult result = inputs.bench(wrong);
    CHECK(result.exit_code == 2);
    CHECK(result.out.empty());
    CHECK(!result.err.empty());
  }
}
