// How fast rows are parsed and read: synthetic rows of the shape of real ones (32-byte hashed ids, 42 tokens
// on average), plain text from the page cache. Bytes a second are of text.

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include "kinglet/formats/row_reader.h"

namespace {

using kinglet::Row;
using kinglet::formats::RowError;
using kinglet::formats::RowParser;
using kinglet::formats::RowReader;

constexpr size_t kRows = 20'000;

std::string hashed(std::mt19937_64& random) {
  std::string id;
  for (int i = 0; i < 32; ++i) id += "0123456789ABCDEF"[random() % 16];
  return id;
}

std::string tokens(std::mt19937_64& random) {
  std::string text = "101";
  for (uint64_t left = 20 + random() % 40; left > 0; --left)
    text += "\t" + std::to_string(1000 + random() % 29'000);
  return text + "\t102";
}

std::string line(std::mt19937_64& random) {
  const auto boolean = [&] { return random() % 2 == 0 ? "true" : "false"; };
  const auto number = [&](uint64_t below) { return std::to_string(random() % below); };
  const std::vector<std::string> fields = {tokens(random),
                                           random() % 3 == 0 ? hashed(random) : "",
                                           hashed(random),
                                           random() % 3 == 0 ? "Photo" : "",
                                           random() % 2 == 0 ? hashed(random) : "",
                                           random() % 2 == 0 ? hashed(random) : "",
                                           "TopLevel",
                                           hashed(random),
                                           std::to_string(1'612'000'000 + random() % 1'000'000),
                                           hashed(random),
                                           number(10'000'000),
                                           number(5000),
                                           boolean(),
                                           std::to_string(1'200'000'000 + random() % 400'000'000),
                                           hashed(random),
                                           number(2000),
                                           number(2000),
                                           boolean(),
                                           std::to_string(1'200'000'000 + random() % 400'000'000),
                                           boolean(),
                                           "",
                                           "",
                                           "",
                                           random() % 5 == 0 ? "1613000000" : ""};
  std::string text;
  for (const auto& field : fields) text.append(text.empty() ? "" : "\x01").append(field);
  return text;
}

const std::vector<std::string>& lines() {
  static const std::vector<std::string> all = [] {
    std::mt19937_64 random(1);
    std::vector<std::string> made(kRows);
    for (auto& text : made) text = line(random);
    return made;
  }();
  return all;
}

size_t text_bytes() {
  size_t bytes = 0;
  for (const auto& text : lines()) bytes += text.size() + 1;
  return bytes;
}

void report(benchmark::State& state) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text_bytes()));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kRows));
}

void parse_rows(benchmark::State& state) {
  RowParser parser;
  Row row;
  RowError error;
  while (state.KeepRunning()) {
    for (const auto& text : lines()) {
      if (!parser.parse(text, row, error)) state.SkipWithError("a synthetic row was refused");
      benchmark::DoNotOptimize(row.tokens.data());
    }
  }
  report(state);
}
BENCHMARK(parse_rows)->Unit(benchmark::kMillisecond);

void read_rows(benchmark::State& state) {
  const auto path =
      std::filesystem::temp_directory_path() / ("kinglet-bench-rows-" + std::to_string(::getpid()));
  {
    std::ofstream out(path, std::ios::binary);
    for (const auto& text : lines()) out << text << '\n';
  }
  Row row;
  while (state.KeepRunning()) {
    RowReader reader({path}, {.block_bytes = static_cast<size_t>(state.range(0))});
    while (reader.next(row)) benchmark::DoNotOptimize(row.tokens.data());
  }
  report(state);
  std::filesystem::remove(path);
}
BENCHMARK(read_rows)->ArgName("block")->Arg(1 << 16)->Arg(1 << 18)->Arg(1 << 20)->Unit(
    benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
