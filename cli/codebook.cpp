#include <cstdio>
#include <map>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "kinglet/codebook/codebook_writer.h"
#include "kinglet/codebook/emde.h"
#include "kinglet/codebook/learn.h"

#include "arguments.h"
#include "progress.h"
#include "verbs.h"

namespace kinglet::cli {
namespace {

/// What both verbs take.
struct HashArguments {
  codebook::EmdeOptions options;
  std::filesystem::path output;
  std::filesystem::path parameters;
  bool json = false;
};

struct FitArguments {
  HashArguments hash;
  std::filesystem::path vectors;
  std::string tensor;
  std::filesystem::path reuse;
};

struct LearnArguments {
  HashArguments hash;
  std::vector<std::filesystem::path> rows;
  std::filesystem::path vectors_out;
  codebook::LearnOptions options;
};

/// Writes the parameters, if they are asked for, and the codebook; the report says what was written.
nlohmann::ordered_json write_outputs(const HashArguments& arguments, const codebook::EmdeHash& hash,
                                     const codebook::TokenVectors& vectors, const ProgressFn& progress) {
  const std::vector<uint32_t> codes = codebook::emde_codes(hash, vectors, progress);
  if (!arguments.parameters.empty()) codebook::write_emde(arguments.parameters, hash);
  codebook::write_codebook(arguments.output, vectors.ids, codes);
  return {{"output", arguments.output.string()},
          {"tokens", vectors.tokens()},
          {"dimensions", vectors.dimensions},
          {"depth", hash.depth},
          {"width", hash.width}};
}

void print_codebook(const nlohmann::ordered_json& report) {
  fmt::print("wrote    {}: {} tokens, {} dimensions to {} codes of {}\n", report["output"].get<std::string>(),
             report["tokens"].get<uint64_t>(), report["dimensions"].get<uint64_t>(),
             report["depth"].get<uint32_t>(), report["width"].get<uint32_t>());
}

void run_fit(const FitArguments& arguments) {
  Progress progress;
  const ProgressFn report_progress = progress.function();
  const codebook::TokenVectors vectors = converter::read_token_vectors(arguments.vectors, arguments.tensor);
  const codebook::EmdeHash hash = arguments.reuse.empty()
                                      ? codebook::fit_emde(vectors, arguments.hash.options, report_progress)
                                      : codebook::read_emde(arguments.reuse);
  const nlohmann::ordered_json report = write_outputs(arguments.hash, hash, vectors, report_progress);
  progress.finish();
  if (arguments.hash.json) {
    fmt::print("{}\n", report.dump(2));
  } else {
    print_codebook(report);
  }
}

nlohmann::ordered_json learn_json(const codebook::LearnReport& report) {
  return {{"rows", report.rows},
          {"rows_with_text", report.rows_with_text},
          {"tweets", report.tweets},
          {"sampling", report.sampling},
          {"occurrences", report.occurrences},
          {"distinct_tokens", report.distinct_tokens},
          {"pairs", report.pairs},
          {"forgotten_pairs", report.forgotten_pairs}};
}

void print_learned(const codebook::LearnReport& report) {
  fmt::print(
      "text     {} rows of {}, {} distinct tweets{}\n", report.rows_with_text, report.rows, report.tweets,
      report.sampling > 1 ? fmt::format(" (for want of memory, at last 1 in {})", report.sampling) : "");
  fmt::print("tokens   {} distinct, {} occurrences\n", report.distinct_tokens, report.occurrences);
  fmt::print("pairs    {} of positive weight{}\n", report.pairs,
             report.forgotten_pairs > 0
                 ? fmt::format("; {} rare ones forgotten for want of memory", report.forgotten_pairs)
                 : "");
}

/// Without vectors there is nothing to fit: an empty codebook, which `convert` accepts.
nlohmann::ordered_json write_empty(const HashArguments& arguments) {
  std::fputs("kinglet: note: no token occurs often enough to learn from: the codebook is empty\n", stderr);
  codebook::write_codebook(arguments.output, {}, {});
  return {{"output", arguments.output.string()},
          {"tokens", 0},
          {"dimensions", 0},
          {"depth", arguments.options.depth},
          {"width", arguments.options.width}};
}

void run_learn(const LearnArguments& arguments) {
  Progress progress;
  const ProgressFn report_progress = progress.function();
  codebook::LearnOptions options = arguments.options;
  options.seed = arguments.hash.options.seed;
  const codebook::Learned learned = codebook::learn_token_vectors(arguments.rows, options, report_progress);
  if (!arguments.vectors_out.empty()) converter::write_token_vectors(arguments.vectors_out, learned.vectors);
  nlohmann::ordered_json report;
  if (learned.vectors.tokens() == 0) {
    progress.finish();
    report = write_empty(arguments.hash);
  } else {
    const codebook::EmdeHash hash =
        codebook::fit_emde(learned.vectors, arguments.hash.options, report_progress);
    report = write_outputs(arguments.hash, hash, learned.vectors, report_progress);
    progress.finish();
  }
  if (arguments.hash.json) {
    report.update(learn_json(learned.report));
    fmt::print("{}\n", report.dump(2));
  } else {
    print_learned(learned.report);
    print_codebook(report);
  }
}

void add_hash_options(Verb verb, HashArguments& arguments) {
  codebook::EmdeOptions& options = arguments.options;
  verb.option("-o,--output", arguments.output, "Codebook to write: JSON, token id -> absolute codes")
      .required();
  verb.option("--depth", options.depth, "Codes a token [20]").range(1U, codebook::kMaxDepth);
  verb.option("--width", options.width, "Values a code [256]").range(1U, codebook::kMaxWidth);
  verb.choice("--bias", options.bias,
              {{"median", codebook::Bias::median}, {"quantile", codebook::Bias::quantile}},
              "Where each projection is cut: median, or a random quantile [median]");
  verb.option("--seed", options.seed, "Of every random number [0]");
  verb.option("--parameters", arguments.parameters,
              "Also write the fitted hash (safetensors), to code later tokens with fit --reuse");
  verb.flag("--json", arguments.json, "Report as JSON");
}

void add_fit(Verb group) {
  Verb verb = group.add_verb("fit", "Hash given token vectors into a codebook");
  auto arguments = std::make_shared<FitArguments>();
  verb.option("--vectors", arguments->vectors,
              "Token vectors: npy, npz, safetensors, torch.save's zip or text")
      .required();
  verb.option("--tensor", arguments->tensor, "The vectors' name, in a file of several tensors");
  add_hash_options(verb, arguments->hash);
  const Option reuse = verb.option("--reuse", arguments->reuse,
                                   "Code with the hash of an earlier --parameters; nothing is fitted");
  for (const char* fitted : {"--depth", "--width", "--bias", "--seed", "--parameters"})
    reuse.excludes(fitted);
  verb.action([arguments] { run_fit(*arguments); });
}

void add_learn(Verb group) {
  Verb verb = group.add_verb("learn", "Learn token vectors from the rows' own text, then hash them");
  auto arguments = std::make_shared<LearnArguments>();
  codebook::LearnOptions& options = arguments->options;
  verb.option("rows", arguments->rows, "Files, or folders of part-* files").required();
  verb.option("--vectors-out", arguments->vectors_out, "Also write the token vectors (safetensors)");
  verb.option("--dimensions", options.dimensions, "Of the token vectors [64]").range(1, 1'024);
  verb.option("--window", options.window,
              "Neighbours stand at most so far apart; 0 takes all of a tweet [10]");
  verb.option("--min-count", options.min_count, "Tokens that occur less often get no codes [5]");
  verb.option("--shift", options.shift, "log(shift) is taken from each pair's PMI [1]").range(1.0, 1e6);
  verb.option("--memory", options.memory_bytes, "Bound on memory, such as 512M [1G]")
      .bytes()
      .range(codebook::kMinLearnMemory, UINT64_MAX);
  add_hash_options(verb, arguments->hash);
  verb.action([arguments] { run_learn(*arguments); });
}

}  // namespace

void add_codebook(Verb program) {
  Verb group = program.add_verb("codebook", "The codes of tokens, of which sketches are made");
  group.require_verb();
  add_fit(group);
  add_learn(group);
}

}  // namespace kinglet::cli
