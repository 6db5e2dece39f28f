// The fp32 kernels at the full-size network's shapes on every instruction set of this CPU, and a plain
// streaming read of the same bytes as the limit. Kernel and read take turns on one working set; the counters
// are those of all turns:
//   read        GB/s of the streaming read (the widest vectors of this CPU), median
//   kernel      GB/s of the kernel, by the weights and rows that it reads, median
//   share       kernel / read
//   best_*      the same of the fastest turn
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "kinglet/kernels/kernels.h"

namespace {

using kinglet::kernels::Isa;
using kinglet::kernels::KernelTable;
using kinglet::kernels::RowTerm;

constexpr size_t kInputs = 1'500;
constexpr size_t kPadded = 1'504;
constexpr size_t kStride = 2 * kPadded;  // a row of [l1 | projection]
constexpr size_t kRows = 6'300;
constexpr size_t kActiveRows = 550;  // 30 tokens at 20 depths, some codes twice

struct Free {
  void operator()(float* block) const { std::free(block); }
};
using Floats = std::unique_ptr<float, Free>;

Floats make_floats(size_t count) {
  const size_t bytes = (count * sizeof(float) + 63) / 64 * 64;
  Floats floats(static_cast<float*>(std::aligned_alloc(64, bytes)));
  for (size_t i = 0; i < count; ++i) floats.get()[i] = static_cast<float>(i % 17) * 0.01F;
  return floats;
}

/// Reads every byte once and does next to nothing with it: from the beginning and from the middle at a time,
/// since two streams are fetched ahead better than one. The compiler makes it for several widths of vectors;
/// the widest of this CPU is taken when the program is loaded.
#if defined(__x86_64__) && defined(__GLIBC__)
[[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), gnu::optimize("O3")]]
#endif
uint64_t
streaming_read(const uint64_t* words, size_t count) {
  constexpr size_t kStep = 32;  // 256 bytes: four cache lines of each half
  uint64_t low[kStep] = {};
  uint64_t high[kStep] = {};
  const size_t half = count / 2 / kStep * kStep;
  for (size_t i = 0; i < half; i += kStep) {
    for (size_t k = 0; k < kStep; ++k) low[k] ^= words[i + k];
    for (size_t k = 0; k < kStep; ++k) high[k] ^= words[half + i + k];
  }
  uint64_t total = 0;
  for (size_t i = 2 * half; i < count; ++i) total ^= words[i];
  for (size_t k = 0; k < kStep; ++k) total ^= low[k] ^ high[k];
  return total;
}

uint64_t streaming_read(const float* floats, size_t count) {
  return streaming_read(reinterpret_cast<const uint64_t*>(floats), count / 2);
}

using Clock = std::chrono::steady_clock;

double seconds_of(const std::function<void()>& call) {
  const auto start = Clock::now();
  call();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Kernel and read in turns over the same `bytes`; the benchmark's own time is the kernel's.
void in_turns(benchmark::State& state, size_t bytes, const std::function<void()>& kernel,
              const std::function<void()>& read) {
  std::vector<double> kernel_seconds;
  std::vector<double> read_seconds;
  read();
  kernel();
  while (state.KeepRunning()) {
    read_seconds.push_back(seconds_of(read));
    kernel_seconds.push_back(seconds_of(kernel));
    state.SetIterationTime(kernel_seconds.back());
  }
  const double gigabytes = static_cast<double>(bytes) * 1e-9;
  const double read_rate = gigabytes / median(read_seconds);
  const double kernel_rate = gigabytes / median(kernel_seconds);
  state.counters["read"] = read_rate;
  state.counters["kernel"] = kernel_rate;
  state.counters["share"] = kernel_rate / read_rate;
  state.counters["best_read"] = gigabytes / *std::min_element(read_seconds.begin(), read_seconds.end());
  state.counters["best_kernel"] = gigabytes / *std::min_element(kernel_seconds.begin(), kernel_seconds.end());
  state.SetBytesProcessed(static_cast<int64_t>(static_cast<size_t>(state.iterations()) * bytes));
}

void gemv(benchmark::State& state, const KernelTable* table) {
  constexpr size_t kFloats = kInputs * kPadded;
  const Floats weights = make_floats(kFloats);
  const Floats in = make_floats(kPadded);
  const Floats bias = make_floats(kPadded);
  const Floats out = make_floats(kPadded);
  in_turns(
      state, kFloats * sizeof(float),
      [&] {
        table->gemv_f32(weights.get(), kinglet::kernels::kWidePanel, kInputs, kPadded, in.get(), bias.get(),
                        {}, out.get());
        benchmark::ClobberMemory();
      },
      [&] { benchmark::DoNotOptimize(streaming_read(weights.get(), kFloats)); });
}

void add_rows(benchmark::State& state, const KernelTable* table) {
  const Floats rows = make_floats(kRows * kStride);
  const Floats sum = make_floats(kStride);
  std::vector<RowTerm> terms;
  for (uint32_t i = 0; i < kActiveRows; ++i)
    terms.push_back({static_cast<uint32_t>(i * 2'654'435'761U % kRows), 1.0F});
  in_turns(
      state, kActiveRows * kStride * sizeof(float),
      [&] {
        table->add_rows_f32(rows.get(), kStride, kStride, terms.data(), terms.size(), 0.2F, sum.get());
        benchmark::ClobberMemory();
      },
      [&] {
        uint64_t total = 0;
        for (const RowTerm& term : terms) total ^= streaming_read(rows.get() + term.row * kStride, kStride);
        benchmark::DoNotOptimize(total);
      });
}

}  // namespace

int main(int argc, char** argv) {
  for (const Isa isa : kinglet::kernels::built_isas()) {
    if (!kinglet::kernels::supported(isa)) continue;
    const std::string name(kinglet::kernels::isa_name(isa));
    const KernelTable* table = kinglet::kernels::table_of(isa);
    benchmark::RegisterBenchmark(("gemv_f32/1500x1504/" + name).c_str(), gemv, table)
        ->Unit(benchmark::kMicrosecond)
        ->UseManualTime();
    benchmark::RegisterBenchmark(("add_rows_f32/550x3008/" + name).c_str(), add_rows, table)
        ->Unit(benchmark::kMicrosecond)
        ->UseManualTime();
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
