// The full-size network (hidden 1,500; random weights: time does not depend on them) at batch 1, and its
// kernels, on every instruction set of this CPU. Bytes a second are those of the weights and rows that a call
// reads.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "kinglet/converter/convert.h"
#include "kinglet/kernels/kernels.h"
#include "kinglet/session.h"

#include "synthetic/synthetic.h"

namespace {

using kinglet::kernels::Isa;
using kinglet::kernels::KernelTable;
using kinglet::kernels::RowTerm;

constexpr size_t kHidden = 1'500;
constexpr size_t kPadded = 1'504;
constexpr size_t kTokens = 32;  // [CLS] and [SEP] included

struct Free {
  void operator()(float* block) const { std::free(block); }
};
using Floats = std::unique_ptr<float, Free>;

Floats make_floats(size_t count) {
  Floats floats(static_cast<float*>(std::aligned_alloc(64, count * sizeof(float))));
  for (size_t i = 0; i < count; ++i) floats.get()[i] = static_cast<float>(i % 17) * 0.01F;
  return floats;
}

void gemv(benchmark::State& state, const KernelTable* table) {
  const Floats weights = make_floats(kHidden * kPadded);
  const Floats in = make_floats(kPadded);
  const Floats bias = make_floats(kPadded);
  const Floats out = make_floats(kPadded);
  for (auto _ : state) {
    table->gemv_f32(weights.get(), kinglet::kernels::kWidePanel, kHidden, kPadded, in.get(), bias.get(), {},
                    out.get());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kHidden * kPadded * sizeof(float)));
}

void add_rows(benchmark::State& state, const KernelTable* table) {
  constexpr size_t kRows = 6'400;
  const Floats rows = make_floats(kRows * 2 * kPadded);
  const Floats sum = make_floats(2 * kPadded);
  std::vector<RowTerm> terms;
  for (uint32_t i = 0; i < 550; ++i)
    terms.push_back({static_cast<uint32_t>(i * 2'654'435'761U % kRows), 1.0F});
  for (auto _ : state) {
    table->add_rows_f32(rows.get(), 2 * kPadded, 2 * kPadded, terms.data(), terms.size(), 0.2F, sum.get());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(
      static_cast<int64_t>(state.iterations() * terms.size() * 2 * kPadded * sizeof(float)));
}

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
    const KernelTable* table = kinglet::kernels::table_of(isa);
    benchmark::RegisterBenchmark(("gemv_f32/" + name).c_str(), gemv, table)->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark(("add_rows_f32/" + name).c_str(), add_rows, table)
        ->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark(("score_request/" + name).c_str(), score_request, isa)
        ->Unit(benchmark::kMicrosecond);
  }
  benchmark::RegisterBenchmark("open_model", open_model)->Unit(benchmark::kMicrosecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  std::filesystem::remove_all(full_size_model().parent_path());
  return 0;
}
