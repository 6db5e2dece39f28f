#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "kinglet/formats/error.h"
#include "kinglet/latency/latency.h"
#include "kinglet/latency/lines.h"
#include "kinglet/latency/ranking.h"

#include "arguments.h"
#include "progress.h"
#include "verbs.h"

namespace kinglet::cli {
namespace {

using latency::Quantiles;
using latency::Report;
using nlohmann::ordered_json;

struct Arguments {
  std::filesystem::path model;
  std::filesystem::path history;
  std::vector<std::filesystem::path> rows;
  std::string isa;
  size_t rank = 0;
  latency::LineChoice choice{.maximum = 1'000};
  latency::Options options;
  bool json = false;
};

template <typename Value>
ordered_json or_null(const std::optional<Value>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

void add_quantiles(const Quantiles& quantiles, ordered_json& json) {
  json["min_us"] = or_null(quantiles.minimum);
  json["p50_us"] = or_null(quantiles.p50);
  json["p90_us"] = or_null(quantiles.p90);
  json["p99_us"] = or_null(quantiles.p99);
  json["p999_us"] = or_null(quantiles.p999);
  json["samples"] = quantiles.samples;
}

ordered_json quantiles_json(const Quantiles& quantiles) {
  ordered_json json;
  add_quantiles(quantiles, json);
  return json;
}

ordered_json stages_json(const latency::StageTimes& times) {
  ordered_json json;
  for (size_t i = 0; i < times.stages.size(); ++i) {
    json[std::string(latency::kStageNames[i])] = quantiles_json(times.stages[i]);
  }
  json["score"] = quantiles_json(times.score);
  return json;
}

ordered_json report_json(const Arguments& arguments, const Report& report) {
  ordered_json json = {{"model", arguments.model.string()},
                       {"precision", report.precision},
                       {"layout", report.layout},
                       {"model_bytes", report.model_bytes},
                       {"cpu", report.cpu},
                       {"instruction_set", kernels::isa_name(report.isa)},
                       {"rows", report.rows},
                       {"rounds", arguments.options.rounds}};
  add_quantiles(report.warm, json);
  json["stages"] = stages_json(report.warm_stages);
  json["cold"] = quantiles_json(report.cold);
  json["cold_stages"] = stages_json(report.cold_stages);
  json["load"] = quantiles_json(report.load);
  json["bytes_touched"] = report.bytes_touched;
  json["bytes_touched_p99"] = or_null(report.bytes_touched_p99);
  json["bandwidth_share"] = report.bandwidth_share;
  json["probe"] = {{"bytes", report.probe_bytes}, {"gb_per_s", report.probe_gb_per_s}};
  json["allocations"] = or_null(report.allocations);
  json["repeat"] = nullptr;
  if (report.steadiness) {
    json["repeat"] = {{"score", quantiles_json(report.steadiness->score)},
                      {"loop", quantiles_json(report.steadiness->loop)},
                      {"ratio", or_null(report.steadiness->ratio)}};
  }
  return json;
}

std::string time_text(const std::optional<double>& microseconds) {
  return microseconds ? fmt::format("{:.1f}", *microseconds) : "-";
}

void print_times(std::string_view name, const Quantiles& quantiles) {
  fmt::print("{:<15}{:>9}{:>11}{:>11}{:>11}{:>11}{:>11}\n", name, quantiles.samples,
             time_text(quantiles.minimum), time_text(quantiles.p50), time_text(quantiles.p90),
             time_text(quantiles.p99), time_text(quantiles.p999));
}

/// The network's stages stand below their sum.
void print_stages(const latency::StageTimes& times) {
  for (size_t i = 0; i < times.stages.size(); ++i) {
    const bool network = i >= static_cast<size_t>(latency::Stage::first_layer);
    if (i == static_cast<size_t>(latency::Stage::first_layer)) print_times("  score", times.score);
    print_times(fmt::format("{}{}", network ? "    " : "  ", latency::kStageNames[i]), times.stages[i]);
  }
}

ordered_json ranking_json(const latency::Ranking& ranking) {
  return {{"tweets_for_a_reader", ranking.batch},
          {"candidate", quantiles_json(ranking.candidate)},
          {"prepared_pair", quantiles_json(ranking.pair)},
          {"prepare_tweet", quantiles_json(ranking.prepare_tweet)}};
}

void print_ranking(const latency::Ranking& ranking) {
  fmt::print("\n{} prepared tweets for one prepared reader\n", ranking.batch);
  print_times("a candidate", ranking.candidate);
  print_times("a pair alone", ranking.pair);
  print_times("prepare tweet", ranking.prepare_tweet);
}

void print_text(const Arguments& arguments, const Report& report) {
  fmt::print("{}: {}, layout {}, {} bytes\n", arguments.model.string(), report.precision, report.layout,
             report.model_bytes);
  fmt::print("{}, kernels for {}; {} rows, {} rounds\n\n", report.cpu, kernels::isa_name(report.isa),
             report.rows, arguments.options.rounds);
  fmt::print("{:<15}{:>9}{:>11}{:>11}{:>11}{:>11}{:>11}\n", "microseconds", "samples", "min", "p50", "p90",
             "p99", "p99.9");
  print_times("a row, warm", report.warm);
  print_stages(report.warm_stages);
  print_times("a row, cold", report.cold);
  if (report.cold.samples != 0) print_stages(report.cold_stages);
  print_times("open and score", report.load);
  if (report.steadiness) {
    print_times("one row again", report.steadiness->score);
    print_times("a plain loop", report.steadiness->loop);
    if (report.steadiness->ratio) {
      fmt::print("p99.9 / p50 of one row over that of the loop: {:.2f}\n", *report.steadiness->ratio);
    }
  }
  fmt::print("\na score touches {:.2f} MB of the model in the mean", report.bytes_touched * 1e-6);
  if (report.bytes_touched_p99) fmt::print(", {:.2f} MB at p99", *report.bytes_touched_p99 * 1e-6);
  fmt::print("\nat {:.0f} % of the speed of a plain read of {:.1f} MB of it, {:.1f} GB/s\n",
             report.bandwidth_share * 100, static_cast<double>(report.probe_bytes) * 1e-6,
             report.probe_gb_per_s);
  if (report.allocations) fmt::print("calls of malloc and free while scoring: {}\n", *report.allocations);
}

void run(Arguments& arguments) {
  if (!arguments.isa.empty()) {
    arguments.options.isa = kernels::isa_from_name(arguments.isa);
    if (!arguments.options.isa) throw Error("--isa", "", "no such instruction set: " + arguments.isa);
  }
  Progress progress;
  const auto lines = latency::read_lines(arguments.rows, arguments.choice, progress.function());
  const Report report =
      latency::measure(arguments.model, arguments.history, lines, arguments.options, progress.function());
  std::optional<latency::Ranking> ranking;
  if (arguments.rank != 0) {
    ranking = latency::measure_ranking(arguments.model, arguments.history, lines, arguments.rank,
                                       arguments.options, progress.function());
  }
  progress.finish();
  if (arguments.json) {
    ordered_json json = report_json(arguments, report);
    json["ranking"] = ranking ? ranking_json(*ranking) : ordered_json();
    fmt::print("{}\n", json.dump(2));
  } else {
    print_text(arguments, report);
    if (ranking) print_ranking(*ranking);
  }
}

}  // namespace

void add_bench(Verb program) {
  Verb verb = program.add_verb("bench", "Measure how long this model takes for a row on this machine");
  auto arguments = std::make_shared<Arguments>();
  verb.option("--model", arguments->model, "Model file").required();
  verb.option("--history", arguments->history, "History file").required();
  verb.option("rows", arguments->rows, "Files, or folders of part-* files").required();
  verb.flag("--huge-pages", arguments->options.huge_pages,
            "Score from a copy of the model in huge pages, rather than from the mapped file");
  verb.option("--isa", arguments->isa, "Instruction set: scalar, sse42, avx2, ... [the fastest here]");
  verb.option("--rank", arguments->rank,
              "Also rank so many prepared tweets for one prepared reader at a time");
  verb.option("--rounds", arguments->options.rounds, "How often all rows are gone through")
      .show_default()
      .range(1, 1'000'000);
  verb.option("--minimum-tokens", arguments->choice.minimum_tokens, "Only rows of at least so many tokens")
      .show_default();
  verb.flag("--different-tweets", arguments->choice.different_tweets, "Only the first row of each tweet");
  verb.option("--max-rows", arguments->choice.maximum, "The first so many rows of these")
      .show_default()
      .range(1, 1'000'000'000);
  verb.option("--cold-rows", arguments->options.cold_rows, "How many rows are also measured cold")
      .show_default();
  verb.option("--loads", arguments->options.loads, "How often the model is opened for a first score")
      .show_default();
  verb.option("--repeat", arguments->options.repeats,
              "Also score the first row so often, in turns with a plain loop")
      .show_default();
  verb.flag("--json", arguments->json, "Report as JSON");
  verb.action([arguments] { run(*arguments); });
}

}  // namespace kinglet::cli
