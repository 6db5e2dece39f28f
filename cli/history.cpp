#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "kinglet/history/builder.h"

#include "arguments.h"
#include "progress.h"
#include "verbs.h"

namespace kinglet::cli {
namespace {

struct Arguments {
  std::vector<std::filesystem::path> train;
  std::vector<std::filesystem::path> valid;
  std::filesystem::path output;
  history::BuildOptions options;
  bool json = false;
};

uint64_t peak_memory_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1'024;
}

std::string hex(const std::array<uint8_t, 16>& bytes) {
  std::string text;
  for (const uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

double bytes_per_key(const history::BuildReport& report) {
  const uint64_t keys = report.train_keys + report.valid_keys;
  return keys == 0 ? 0 : static_cast<double>(report.file_bytes) / static_cast<double>(keys);
}

void print_json(const history::BuildReport& report, const std::filesystem::path& output) {
  const nlohmann::ordered_json json = {
      {"output", output.string()},
      {"file_bytes", report.file_bytes},
      {"bytes_per_key", bytes_per_key(report)},
      {"holdout_every", report.info.holdout_every},
      {"train_rows", report.info.train_rows},
      {"valid_rows", report.info.valid_rows},
      {"held_out_rows", report.info.held_out_rows},
      {"train_keys", report.train_keys},
      {"valid_keys", report.valid_keys},
      {"authors_with_similar", report.authors_with_similar},
      {"train_xxh3_128", hex(report.info.train_fingerprint)},
      {"valid_xxh3_128", hex(report.info.valid_fingerprint)},
      {"spilled_bytes", report.spilled_bytes},
      {"peak_memory_bytes", peak_memory_bytes()},
  };
  fmt::print("{}\n", json.dump(2));
}

void print_text(const history::BuildReport& report, const std::filesystem::path& output) {
  fmt::print("train    {} rows, {} keys\n", report.info.train_rows, report.train_keys);
  fmt::print("valid    {} rows, {} keys; {} rows held out\n", report.info.valid_rows, report.valid_keys,
             report.info.held_out_rows);
  fmt::print("authors  {} with similar ones\n", report.authors_with_similar);
  fmt::print("wrote    {}: {} bytes, {:.1f} a key; at most {} MiB of memory\n", output.string(),
             report.file_bytes, bytes_per_key(report), peak_memory_bytes() >> 20);
}

void run(const Arguments& arguments) {
  Progress progress;
  history::BuildOptions options = arguments.options;
  options.progress = progress.function();
  const history::BuildReport report =
      history::build_history(arguments.train, arguments.valid, arguments.output, options);
  progress.finish();
  if (arguments.json) {
    print_json(report, arguments.output);
  } else {
    print_text(report, arguments.output);
  }
}

}  // namespace

void add_history(Verb program) {
  Verb group = program.add_verb("history", "The counters of past reactions");
  group.require_verb();
  Verb verb = group.add_verb("build", "Count the reactions in rows with labels into a history file");
  auto arguments = std::make_shared<Arguments>();
  history::BuildOptions& options = arguments->options;
  verb.option("--train", arguments->train, "Training rows: files, or folders of part-* files").required();
  verb.option("--valid", arguments->valid, "Validation rows: files, or folders of part-* files");
  verb.option("--holdout-every", options.holdout_every,
              "Hold out every Nth validation row, from the first on; 0 holds out none [10]");
  verb.option("--memory", options.memory_bytes,
              "Bound on memory, such as 512M; what does not fit spills to disk [1G]")
      .bytes()
      .range(history::kMinMemory, UINT64_MAX);
  verb.option("-o,--output", arguments->output, "History file to write").required();
  verb.flag("--json", arguments->json, "Report as JSON");
  verb.action([arguments] { run(*arguments); });
}

}  // namespace kinglet::cli
