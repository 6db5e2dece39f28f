#include "kinglet/kernels/isa.h"

#include <array>

#include "kinglet/kernels/kernels.h"

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

}  // namespace

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
