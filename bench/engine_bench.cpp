// The full-size network (hidden 1,500; random weights: time does not depend on them) at batch 1, on every
// instruction set of this CPU, and opening its model file. kernels_bench.cpp has the kernels by themselves.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "kinglet/converter/convert.h"
#include "kinglet/kernels/isa.h"
#include "kinglet/session.h"

#include "synthetic/synthetic.h"

namespace {

using kinglet::kernels::Isa;

constexpr size_t kTokens = 32;  // [CLS] and [SEP] included

/// The model's file is made once and shared by all benchmarks.
const std::filesystem::path& full_size_model() {
  static const std::filesystem::path path = [] {
    std::string folder = (std::filesystem::temp_directory_path() / "kinglet-bench-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) std::abort();
    const std::filesystem::path dir(folder);
    kinglet::synthetic::write_checkpoint({}, dir / "weights.safetensors");
    kinglet::synthetic::write_codebook({}, 30'522, dir / "codebook.json");
    kinglet::synthetic::write_languages(kinglet::synthetic::SyntheticWorld().language_names(),
                                        dir / "languages.json");
    kinglet::converter::ConvertOptions options;
    options.weights = dir / "weights.safetensors";
    options.codebook = dir / "codebook.json";
    options.languages = dir / "languages.json";
    kinglet::converter::convert(options, dir / "model.kinglet");
    return dir / "model.kinglet";
  }();
  return path;
}

void score_request(benchmark::State& state, Isa isa) {
  const kinglet::Model model = kinglet::Model::open(full_size_model(), {.isa = isa});
  kinglet::Session session(model);
  std::vector<uint32_t> tokens;
  for (uint32_t t = 0; t < kTokens; ++t) tokens.push_back(1'000 + 37 * t);
  const std::vector<double> numerics(model.numeric_count(), 1.0);
  const std::vector<uint32_t> categories(model.category_count(), 1);
  kinglet::Scores scores;
  for (auto _ : state) {
    benchmark::DoNotOptimize(session.score({tokens, numerics, 1, categories}, scores));
  }
}

void open_model(benchmark::State& state) {
  full_size_model();
  for (auto _ : state) benchmark::DoNotOptimize(kinglet::Model::open(full_size_model()));
}

}  // namespace

int main(int argc, char** argv) {
  for (const Isa isa : kinglet::kernels::built_isas()) {
    if (!kinglet::kernels::supported(isa)) continue;
    const std::string name(kinglet::kernels::isa_name(isa));
    benchmark::RegisterBenchmark(("score_request/" + name).c_str(), score_request, isa)
        ->Unit(benchmark::kMicrosecond);
  }
  benchmark::RegisterBenchmark("open_model", open_model)->Unit(benchmark::kMicrosecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  std::filesystem::remove_all(full_size_model().parent_path());
  return 0;
}
