#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace kinglet::kernels {

/// Instruction sets with kernels of their own; those of one architecture slowest first. `scalar` is the
/// specification and runs anywhere. On x86-64:
///   sse42       SSE4.2 (no fused multiply-add: emulated, exactly)
///   avx2        AVX2, FMA and F16C
///   avx512      AVX-512 F, BW, DQ and VL, in 512-bit vectors
///   avx512vnni  the same and AVX-512 VNNI
/// On AArch64: neon (Advanced SIMD, part of every such CPU).
enum class Isa : unsigned char { scalar, sse42, avx2, avx512, avx512vnni, neon };

/// Every instruction set this build holds kernels for, slowest first.
std::span<const Isa> built_isas() noexcept;
/// Whether this build holds it and this CPU and its operating system run it (CPUID and XGETBV).
bool supported(Isa isa) noexcept;
/// The fastest one that is supported.
Isa best_isa() noexcept;

/// The name used in KINGLET_ISA, in messages and in reports: the enumerator's. Also of sets that this build
/// does not hold.
std::string_view isa_name(Isa isa) noexcept;
std::optional<Isa> isa_from_name(std::string_view name) noexcept;

}  // namespace kinglet::kernels
