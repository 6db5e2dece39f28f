#include "kinglet/kernels/isa.h"

#include "kinglet/kernels/kernels.h"

#include "tables.h"

namespace kinglet::kernels {
namespace {

struct Entry {
  Isa isa;
  std::string_view name;
  const KernelTable* table;
};

// One line an instruction set, slowest first. Add new ones here (HACKING.md, "Adding a kernel").
constexpr Entry kEntries[] = {
    {Isa::scalar, "scalar", &scalar_table},
#if defined(__x86_64__)
    {Isa::avx2, "avx2", &avx2_table},
#endif
};

constexpr auto kBuilt = [] {
  struct {
    Isa isas[std::size(kEntries)];
  } built{};
  for (size_t i = 0; i < std::size(kEntries); ++i) built.isas[i] = kEntries[i].isa;
  return built;
}();

const Entry* entry_of(Isa isa) noexcept {
  for (const Entry& entry : kEntries) {
    if (entry.isa == isa) return &entry;
  }
  return nullptr;
}

}  // namespace

std::span<const Isa> built_isas() noexcept {
  return kBuilt.isas;
}

bool supported(Isa isa) noexcept {
  switch (isa) {
    case Isa::scalar:
      return true;
    case Isa::avx2:
#if defined(__x86_64__)
      __builtin_cpu_init();
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
      return false;
#endif
  }
  return false;
}

Isa best_isa() noexcept {
  Isa best = Isa::scalar;
  for (const Isa isa : built_isas()) {
    if (supported(isa)) best = isa;
  }
  return best;
}

std::string_view isa_name(Isa isa) noexcept {
  const Entry* entry = entry_of(isa);
  return entry != nullptr ? entry->name : "unknown";
}

std::optional<Isa> isa_from_name(std::string_view name) noexcept {
  for (const Entry& entry : kEntries) {
    if (entry.name == name) return entry.isa;
  }
  return std::nullopt;
}

const KernelTable* table_of(Isa isa) noexcept {
  const Entry* entry = entry_of(isa);
  return entry != nullptr ? entry->table : nullptr;
}

}  // namespace kinglet::kernels
