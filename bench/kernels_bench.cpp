// The kernels at the full-size network's shapes on every instruction set of this CPU, and a plain
// streaming read of the same bytes as the limit. Kernel and read take turns on one working set; the counters
// are those of all turns:
//   read        GB/s of the streaming read (the widest vectors of this CPU), median
//   kernel      GB/s of the kernel, by the weights and rows that it reads, median
//   share       kernel / read
//   best_*      the same of the fastest turn
//   megabytes   what the kernel reads of weights or rows
// gemv_*_denormal: all weights denormal, of f16 too. `clock` gives the CPU's clock as it runs now, in `ghz`:
// what llvm-mca's cycles are to be read by (mca.py).
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "kinglet/kernels/kernels.h"

namespace {

using kinglet::kernels::Bf16;
using kinglet::kernels::CountTerm;
using kinglet::kernels::DenseLane;
using kinglet::kernels::F16;
using kinglet::kernels::Isa;
using kinglet::kernels::KernelTable;
using kinglet::kernels::RowTerm;

constexpr size_t kInputs = 1'500;
constexpr size_t kPadded = 1'504;
constexpr size_t kStride = 2 * kPadded;      // a row of [l1 | projection]
constexpr size_t kFoldedStride = 3 * 1'536;  // 8- and 4-bit rows of two folded layers: [l1 | sum2 | sum3]
constexpr size_t kRows = 6'300;
constexpr size_t kActiveRows = 300;  // of 30 tokens at 20 depths, whose codes are learned: half are twice
constexpr size_t kColumns = 1'500;   // of a folded layer, 1,536 outputs each
constexpr size_t kColumnOutputs = 1'536;
constexpr size_t kActiveColumns = 304;

struct Free {
  void operator()(void* block) const { std::free(block); }
};
template <typename T>
using Numbers = std::unique_ptr<T, Free>;
using Floats = Numbers<float>;

template <typename T>
Numbers<T> allocate(size_t count) {
  const size_t bytes = (count * sizeof(T) + 63) / 64 * 64;
  return Numbers<T>(static_cast<T*>(std::aligned_alloc(64, bytes)));
}

template <typename T>
Numbers<T> make_numbers(size_t count, T step) {
  Numbers<T> numbers = allocate<T>(count);
  for (size_t i = 0; i < count; ++i) numbers.get()[i] = static_cast<T>(static_cast<T>(i % 17) * step);
  return numbers;
}

Floats make_floats(size_t count) {
  return make_numbers(count, 0.01F);
}

/// What rows and weights hold does not matter as long as it is finite and not denormal.
template <typename T>
Numbers<T> make_half(size_t count) {
  Numbers<T> numbers = allocate<T>(count);
  for (size_t i = 0; i < count; ++i) numbers.get()[i] = {static_cast<uint16_t>(0x3C00 + i % 17)};
  return numbers;
}

template <typename T>
Numbers<T> make_rows(size_t count) {
  if constexpr (std::is_arithmetic_v<T>) {
    return make_numbers<T>(count, 1);
  } else {
    return make_half<T>(count);
  }
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

template <typename T>
uint64_t streaming_read(const T* numbers, size_t count) {
  return streaming_read(reinterpret_cast<const uint64_t*>(numbers), count * sizeof(T) / sizeof(uint64_t));
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
  state.counters["megabytes"] = static_cast<double>(bytes) * 1e-6;
  state.SetBytesProcessed(static_cast<int64_t>(static_cast<size_t>(state.iterations()) * bytes));
}

template <typename T>
using Gemv = void(const T* panels, size_t panel, size_t inputs, size_t outputs, const float* bias,
                  const DenseLane* lanes, size_t count);

template <typename T>
void gemv_with(benchmark::State& state, Gemv<T>* kernel, const Numbers<T>& weights, size_t lanes = 1) {
  constexpr size_t kWeights = kInputs * kPadded;
  const Floats in = make_floats(kPadded);
  const Floats bias = make_floats(kPadded);
  const Floats out = make_floats(kPadded);
  const std::vector<DenseLane> all(lanes, {in.get(), 0, {}, out.get()});
  in_turns(
      state, kWeights * sizeof(T),
      [&] {
        kernel(weights.get(), kinglet::kernels::kWidePanel, kInputs, kPadded, bias.get(), all.data(), lanes);
        benchmark::ClobberMemory();
      },
      [&] { benchmark::DoNotOptimize(streaming_read(weights.get(), kWeights)); });
}

template <typename T>
void gemv(benchmark::State& state, Gemv<T>* kernel, size_t lanes = 1) {
  gemv_with<T>(state, kernel, make_rows<T>(kInputs * kPadded), lanes);
}

/// Numbers whose exponent is that of denormals, whatever their type.
template <typename T>
Numbers<T> make_denormal(size_t count) {
  Numbers<T> numbers = allocate<T>(count);
  for (size_t i = 0; i < count; ++i) {
    if constexpr (std::is_arithmetic_v<T>) {
      numbers.get()[i] = static_cast<T>(1 + i % 17) * 1e-40F;
    } else {
      numbers.get()[i] = {static_cast<uint16_t>(1 + i % 17)};
    }
  }
  return numbers;
}

void gemv_f32_denormal(benchmark::State& state, const KernelTable* table) {
  gemv_with<float>(state, table->gemv_f32, make_denormal<float>(kInputs * kPadded));
}

void gemv_bf16_denormal(benchmark::State& state, const KernelTable* table) {
  gemv_with<Bf16>(state, table->gemv_bf16, make_denormal<Bf16>(kInputs * kPadded));
}

void gemv_f16_denormal(benchmark::State& state, const KernelTable* table) {
  gemv_with<F16>(state, table->gemv_f16, make_denormal<F16>(kInputs * kPadded));
}

void gemv_f32(benchmark::State& state, const KernelTable* table) {
  gemv(state, table->gemv_f32);
}

void gemv_bf16(benchmark::State& state, const KernelTable* table) {
  gemv(state, table->gemv_bf16);
}

void gemv_f16(benchmark::State& state, const KernelTable* table) {
  gemv(state, table->gemv_f16);
}

void gemv_f32_8_lanes(benchmark::State& state, const KernelTable* table) {
  gemv(state, table->gemv_f32, 8);
}

void gemv_bf16_8_lanes(benchmark::State& state, const KernelTable* table) {
  gemv(state, table->gemv_bf16, 8);
}

void gemv_f16_8_lanes(benchmark::State& state, const KernelTable* table) {
  gemv(state, table->gemv_f16, 8);
}

/// `lanes` vectors of activations at a time, one of so many inputs of which may need more than 8 bits (0:
/// all).
void gemv_s8_with(benchmark::State& state, const KernelTable* table, size_t lanes, size_t wide_share) {
  constexpr size_t kPaddedInputs = kPadded;
  constexpr size_t kBytes = kinglet::kernels::quantised_bytes(kPadded);
  const auto weights = make_numbers<int8_t>(kPaddedInputs * kPadded, 3);
  const auto sums = make_numbers<int32_t>(kPadded, 1);
  const auto quantised = allocate<uint8_t>(lanes * kBytes);
  const Floats in = make_floats(kPadded);
  for (size_t i = 0; i < kPadded; i += 40) in.get()[i] = 1;  // some are large
  const Floats scale = make_floats(kPadded);
  const Floats bias = make_floats(kPadded);
  const Floats out = make_floats(kPadded);
  std::vector<DenseLane> all(lanes);
  in_turns(
      state, kPaddedInputs * kPadded,
      [&] {
        for (size_t lane = 0; lane < lanes; ++lane) {
          uint8_t* const to = quantised.get() + lane * kBytes;
          const float unit =
              table->quantize(in.get(), kPadded, kinglet::kernels::activation_limit(kPadded), wide_share, to);
          all[lane] = {to, unit, {}, out.get()};
        }
        table->gemv_s8(weights.get(), kPaddedInputs, kPadded, scale.get(), sums.get(), bias.get(), all.data(),
                       lanes);
        benchmark::ClobberMemory();
      },
      [&] { benchmark::DoNotOptimize(streaming_read(weights.get(), kPaddedInputs * kPadded)); });
}

constexpr size_t kWideShare = 64;  // the converter's

void gemv_s8(benchmark::State& state, const KernelTable* table) {
  gemv_s8_with(state, table, 1, 0);
}

void gemv_s8_few_wide(benchmark::State& state, const KernelTable* table) {
  gemv_s8_with(state, table, 1, kWideShare);
}

void gemv_s8_16_lanes(benchmark::State& state, const KernelTable* table) {
  gemv_s8_with(state, table, 16, kWideShare);
}

/// The rows of each of kTweets calls, which follow each other in turns: what one has read is out of the
/// second-level cache when it comes again.
using Active = std::vector<std::vector<uint32_t>>;
constexpr uint32_t kTweets = 16;

Active spread_rows(uint32_t count, uint32_t of) {
  Active active(kTweets);
  for (uint32_t i = 0; i < kTweets * count; ++i) active[i / count].push_back(i * 2'654'435'761U % of);
  return active;
}

Active active_rows() {
  return spread_rows(kActiveRows, kRows);
}

/// `add`: adds one tweet's active rows, of kTableRows rows of T, kElements of them a row, to a sum; it reads
/// the first kRead of each.
template <typename T, size_t kElements = kStride, size_t kTableRows = kRows, size_t kRead = kElements,
          typename Add>
void add_rows(benchmark::State& state, const Active& active, const Add& add) {
  const auto rows = make_rows<T>(kTableRows * kElements);
  const Floats sum = make_floats(kFoldedStride);
  const Floats scale = make_floats(kFoldedStride);
  size_t added = 0;
  size_t read = kTweets / 2;  // not what the kernel has just read
  in_turns(
      state, active.front().size() * kRead * sizeof(T),
      [&] {
        add(rows.get(), added++ % kTweets, scale.get(), sum.get());
        benchmark::ClobberMemory();
      },
      [&] {
        uint64_t total = 0;
        for (const uint32_t row : active[read++ % kTweets])
          total ^= streaming_read(rows.get() + row * kElements, kRead);
        benchmark::DoNotOptimize(total);
      });
}

/// What `make` makes of each row, tweet by tweet.
template <typename Make>
auto terms_of(const Active& active, const Make& make) {
  std::vector<std::vector<decltype(make(uint32_t{}))>> terms;
  for (const auto& rows : active) {
    terms.emplace_back();
    for (const uint32_t row : rows) terms.back().push_back(make(row));
  }
  return terms;
}

auto terms_of_rows() {
  return terms_of(active_rows(), [](uint32_t row) { return RowTerm{row, 1.0F}; });
}

template <typename T>
using AddRows = void(const T* rows, size_t stride, size_t width, const RowTerm* terms, size_t count,
                     float scale, float* sum);

template <typename T>
void add_float_rows(benchmark::State& state, AddRows<T>* kernel) {
  const auto terms = terms_of_rows();
  add_rows<T>(state, active_rows(), [&](const T* rows, size_t tweet, const float*, float* sum) {
    kernel(rows, kStride, kStride, terms[tweet].data(), terms[tweet].size(), 0.2F, sum);
  });
}

void add_rows_f32(benchmark::State& state, const KernelTable* table) {
  add_float_rows(state, table->add_rows_f32);
}

void add_rows_bf16(benchmark::State& state, const KernelTable* table) {
  add_float_rows(state, table->add_rows_bf16);
}

void add_rows_f16(benchmark::State& state, const KernelTable* table) {
  add_float_rows(state, table->add_rows_f16);
}

void add_rows_s16(benchmark::State& state, const KernelTable* table) {
  const auto terms = terms_of_rows();
  add_rows<int16_t>(state, active_rows(),
                    [&](const int16_t* rows, size_t tweet, const float* scale, float* sum) {
                      table->add_rows_s16(rows, kStride, kStride, terms[tweet].data(), terms[tweet].size(),
                                          0.2F, scale, sum);
                    });
}

template <typename T>
using AddCountedRows = void(const T* rows, size_t stride, size_t width, const CountTerm* terms, size_t count,
                            size_t ahead, float scale, const float* output_scale, float* sum);

/// The columns of a folded layer whose units are off their usual side: counts of up to kFlipUnits, most of
/// them small.
void add_columns_s8(benchmark::State& state, const KernelTable* table) {
  constexpr uint32_t kFlipUnits = 1'023;
  const Active active = spread_rows(kActiveColumns, kColumns);
  const auto terms = terms_of(active, [](uint32_t column) {
    const uint32_t even = 1 + column * 7'919 % kFlipUnits;
    return CountTerm{column, static_cast<int32_t>(1 + even * even / kFlipUnits)};
  });
  add_rows<int8_t, kColumnOutputs, kColumns>(
      state, active, [&](const int8_t* rows, size_t tweet, const float* scale, float* sum) {
        table->add_rows_s8(rows, kColumnOutputs, kColumnOutputs, terms[tweet].data(), terms[tweet].size(), 0,
                           0.2F, scale, sum);
      });
}

/// A call a depth, as a sketch with one norm a depth needs it.
template <typename T, size_t kElements>
void add_counted_rows(benchmark::State& state, AddCountedRows<T>* kernel) {
  constexpr size_t kDepths = 20;
  const auto tweets = terms_of(active_rows(), [](uint32_t row) { return CountTerm{row, 1}; });
  add_rows<T, kElements>(state, active_rows(),
                         [&](const T* rows, size_t tweet, const float* scale, float* sum) {
                           const std::vector<CountTerm>& terms = tweets[tweet];
                           for (size_t d = 0; d < kDepths; ++d) {
                             const size_t first = terms.size() * d / kDepths;
                             const size_t last = terms.size() * (d + 1) / kDepths;
                             kernel(rows, kFoldedStride, kFoldedStride, terms.data() + first, last - first,
                                    terms.size() - last, 0.2F, scale, sum);
                           }
                         });
}

void add_rows_s8(benchmark::State& state, const KernelTable* table) {
  add_counted_rows<int8_t, kFoldedStride>(state, table->add_rows_s8);
}

void add_rows_s4(benchmark::State& state, const KernelTable* table) {
  add_counted_rows<uint8_t, kFoldedStride / 2>(state, table->add_rows_s4);
}

/// Rows of a split table of three folded layers: 4,608 columns of signs, behind them 1,536 of 8 bits, which
/// are another kernel's.
void count_signs(benchmark::State& state, const KernelTable* table) {
  constexpr size_t kDepths = 20;
  constexpr size_t kSignBytes = kFoldedStride / 8;
  constexpr size_t kSplitStride = kSignBytes + kColumnOutputs;
  const auto tweets = terms_of(active_rows(), [](uint32_t row) { return CountTerm{row, 1}; });
  const auto counts = allocate<int16_t>(kFoldedStride);
  add_rows<uint8_t, kSplitStride, kRows, kSignBytes>(
      state, active_rows(), [&](const uint8_t* rows, size_t tweet, const float*, float*) {
        const std::vector<CountTerm>& terms = tweets[tweet];
        std::fill_n(counts.get(), kFoldedStride, int16_t{0});
        for (size_t d = 0; d < kDepths; ++d) {
          const size_t first = terms.size() * d / kDepths;
          const size_t last = terms.size() * (d + 1) / kDepths;
          table->count_signs(rows, kSplitStride, kFoldedStride, terms.data() + first, last - first,
                             terms.size() - last, 1, counts.get());
        }
      });
}

template <typename T>
using AddBundles = void(const T* bundles, size_t stride, size_t rows, size_t width, const uint32_t* active,
                        const int16_t* counts, size_t count, float scale, const float* output_scale,
                        float* sum);

/// Numbers without a row of their own: bundles of their 16 encoded values' rows, kRowElements of T each.
template <typename T, size_t kRowElements>
void add_bundles(benchmark::State& state, AddBundles<T>* kernel) {
  constexpr size_t kBundleRows = 16;
  constexpr size_t kBundles = 73;
  constexpr size_t kActive = 8;
  constexpr size_t kBundleBytes = kBundleRows * kRowElements;
  const auto bundles = make_rows<T>(kBundles * kBundleBytes);
  const auto counts = make_numbers<int16_t>(kActive * kBundleRows, 250);
  const Floats scale = make_floats(kFoldedStride);
  const Floats sum = make_floats(kFoldedStride);
  std::vector<uint32_t> active;
  for (uint32_t i = 0; i < kActive; ++i) active.push_back(i * 37 % kBundles);
  in_turns(
      state, kActive * kBundleBytes,
      [&] {
        kernel(bundles.get(), kBundleBytes, kBundleRows, kFoldedStride, active.data(), counts.get(), kActive,
               0.2F, scale.get(), sum.get());
        benchmark::ClobberMemory();
      },
      [&] {
        uint64_t total = 0;
        for (const uint32_t bundle : active)
          total ^= streaming_read(bundles.get() + bundle * kBundleBytes, kBundleBytes);
        benchmark::DoNotOptimize(total);
      });
}

void add_bundles_s8(benchmark::State& state, const KernelTable* table) {
  add_bundles<int8_t, kFoldedStride>(state, table->add_bundles_s8);
}

void add_bundles_s4(benchmark::State& state, const KernelTable* table) {
  add_bundles<uint8_t, kFoldedStride / 2>(state, table->add_bundles_s4);
}

/// A chain of multiplications of 64-bit integers: three cycles each on every x86-64 CPU with AVX2.
void clock_rate(benchmark::State& state) {
  constexpr uint64_t kSteps = 100'000;
  constexpr double kCycles = 3;
  uint64_t value = 1;
  std::vector<double> seconds;
  while (state.KeepRunning()) {
    seconds.push_back(seconds_of([&] {
      for (uint64_t i = 0; i < kSteps; ++i) {
        value *= 6'364'136'223'846'793'005U;
        benchmark::DoNotOptimize(value);
      }
    }));
    state.SetIterationTime(seconds.back());
  }
  const double fastest = *std::min_element(seconds.begin(), seconds.end());
  state.counters["ghz"] = static_cast<double>(kSteps) * kCycles / fastest * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
  using Run = void (*)(benchmark::State&, const KernelTable*);
  constexpr std::pair<const char*, Run> kBenchmarks[] = {
      {"gemv_f32/1500x1504/", gemv_f32},
      {"gemv_bf16/1500x1504/", gemv_bf16},
      {"gemv_f16/1500x1504/", gemv_f16},
      {"gemv_s8/1504x1504/", gemv_s8},
      {"gemv_s8_few_wide/1504x1504/", gemv_s8_few_wide},
      {"gemv_s8_16_lanes/1504x1504/", gemv_s8_16_lanes},
      {"gemv_f32_8_lanes/1500x1504/", gemv_f32_8_lanes},
      {"gemv_bf16_8_lanes/1500x1504/", gemv_bf16_8_lanes},
      {"gemv_f16_8_lanes/1500x1504/", gemv_f16_8_lanes},
      {"gemv_f32_denormal/1500x1504/", gemv_f32_denormal},
      {"gemv_bf16_denormal/1500x1504/", gemv_bf16_denormal},
      {"gemv_f16_denormal/1500x1504/", gemv_f16_denormal},
      {"add_rows_f32/300x3008/", add_rows_f32},
      {"add_rows_bf16/300x3008/", add_rows_bf16},
      {"add_rows_f16/300x3008/", add_rows_f16},
      {"add_rows_s16/300x3008/", add_rows_s16},
      {"add_rows_s8/300x4608/", add_rows_s8},
      {"add_rows_s4/300x4608/", add_rows_s4},
      {"count_signs/300x4608/", count_signs},
      {"add_columns_s8/304x1536/", add_columns_s8},
      {"add_bundles_s8/8x16x4608/", add_bundles_s8},
      {"add_bundles_s4/8x16x4608/", add_bundles_s4},
  };
  benchmark::RegisterBenchmark("clock", clock_rate)->Unit(benchmark::kMicrosecond)->UseManualTime();
  for (const Isa isa : kinglet::kernels::built_isas()) {
    if (!kinglet::kernels::supported(isa)) continue;
    const std::string name(kinglet::kernels::isa_name(isa));
    for (const auto& [kernel, run] : kBenchmarks) {
      benchmark::RegisterBenchmark((kernel + name).c_str(), run, kinglet::kernels::table_of(isa))
          ->Unit(benchmark::kMicrosecond)
          ->UseManualTime();
    }
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
