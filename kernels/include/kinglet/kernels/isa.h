#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace kinglet::kernels {

/// Instruction sets with kernels of their own, slowest first. `scalar` is the specification and runs
/// anywhere.
enum class Isa : unsigned char { scalar, avx2 };

/// Every instruction set this build holds kernels for, slowest first.
std::span<const Isa> built_isas() noexcept;
/// Whether this CPU and its operating system run it (CPUID and XGETBV).
bool supported(Isa isa) noexcept;
/// The fastest one that is both built and supported.
Isa best_isa() noexcept;

/// The name used in KINGLET_ISA, in messages and in reports: "scalar", "avx2".
std::string_view isa_name(Isa isa) noexcept;
std::optional<Isa> isa_from_name(std::string_view name) noexcept;

}  // namespace kinglet::kernels
