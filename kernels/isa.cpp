#include "kinglet/kernels/isa.h"

#include <array>
#include <cstdio>
#include <cstdlib>

#include "kinglet/kernels/kernels.h"

#include "fetch.h"
#include "tables.h"
#include "x86_cpu.h"

namespace kinglet::kernels {
namespace {

struct Name {
  Isa isa;
  std::string_view name;
};

constexpr Name kNames[] = {
    {Isa::scalar, "scalar"}, {Isa::sse42, "sse42"},           {Isa::avx2, "avx2"},
    {Isa::avx512, "avx512"}, {Isa::avx512vnni, "avx512vnni"}, {Isa::neon, "neon"},
};

struct Entry {
  Isa isa;
  const KernelTable* table;
};

// What this build holds, slowest first. Add new ones here (HACKING.md, "An instruction set").
constexpr Entry kEntries[] = {
    {Isa::scalar, &scalar_table},
#if defined(__x86_64__)
    {Isa::sse42, &sse42_table},   {Isa::avx2, &avx2_table},
    {Isa::avx512, &avx512_table}, {Isa::avx512vnni, &avx512vnni_table},
#elif defined(__aarch64__)
    {Isa::neon, &neon_table},
#endif
};

constexpr auto kBuilt = [] {
  std::array<Isa, std::size(kEntries)> built{};
  for (size_t i = 0; i < built.size(); ++i) built[i] = kEntries[i].isa;
  return built;
}();

#if defined(__x86_64__)
/// What compiler flags for the whole program (-march=native) took for granted and this CPU lacks; null:
/// nothing.
const char* missing_from_cpu() {
  __builtin_cpu_init();
#if defined(__AVX512F__)
  if (__builtin_cpu_supports("avx512f") == 0) return "AVX-512";
#endif
#if defined(__AVX512BW__) || defined(__AVX512DQ__) || defined(__AVX512VL__)
  if (__builtin_cpu_supports("avx512bw") == 0 || __builtin_cpu_supports("avx512dq") == 0 ||
      __builtin_cpu_supports("avx512vl") == 0)
    return "AVX-512 BW, DQ and VL";
#endif
#if defined(__AVX2__)
  if (__builtin_cpu_supports("avx2") == 0) return "AVX2";
#endif
#if defined(__FMA__)
  if (__builtin_cpu_supports("fma") == 0) return "FMA";
#endif
#if defined(__BMI2__)
  if (__builtin_cpu_supports("bmi2") == 0) return "BMI2";
#endif
#if defined(__AVX__)
  if (__builtin_cpu_supports("avx") == 0) return "AVX";
#endif
#if defined(__SSE4_2__)
  if (__builtin_cpu_supports("sse4.2") == 0) return "SSE4.2";
#endif
#if defined(__SSSE3__)
  if (__builtin_cpu_supports("ssse3") == 0) return "SSSE3";
#endif
  return nullptr;
}

/// Before all else in the program: a message where there would be SIGILL. A build without such flags asks
/// nothing.
[[gnu::constructor(101)]] void refuse_other_cpus() {
  const char* missing = missing_from_cpu();
  if (missing == nullptr) return;
  std::fprintf(stderr,
               "kinglet: this program was compiled for CPUs with %s, which this one lacks; compile it "
               "without -march and the like (kernels are chosen at run time)\n",
               missing);
  std::_Exit(1);
}
#endif

}  // namespace

#if defined(__x86_64__)
const bool fetch_far = gains_by_far_fetches(this_cpu());
#else
const bool fetch_far = true;
#endif

std::span<const Isa> built_isas() noexcept {
  return kBuilt;
}

bool supported(Isa isa) noexcept {
  if (table_of(isa) == nullptr) return false;
#if defined(__x86_64__)
  return runs(this_cpu(), isa);
#else
  return true;  // scalar code, and NEON, which every AArch64 CPU has
#endif
}

Isa best_isa() noexcept {
  Isa best = Isa::scalar;
  for (const Isa isa : built_isas()) {
    if (supported(isa)) best = isa;
  }
  return best;
}

std::string_view isa_name(Isa isa) noexcept {
  for (const Name& entry : kNames) {
    if (entry.isa == isa) return entry.name;
  }
  return "unknown";
}

std::optional<Isa> isa_from_name(std::string_view name) noexcept {
  for (const Name& entry : kNames) {
    if (entry.name == name) return entry.isa;
  }
  return std::nullopt;
}

const KernelTable* table_of(Isa isa) noexcept {
  for (const Entry& entry : kEntries) {
    if (entry.isa == isa) return entry.table;
  }
  return nullptr;
}

}  // namespace kinglet::kernels
