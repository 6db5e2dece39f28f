#pragma once

#include <cstdint>

#include "kinglet/kernels/isa.h"

/// Which x86-64 instruction sets a CPU and its operating system offer: a pure function of a few words, so
/// that tests can ask for CPUs and systems that are not at hand.
namespace kinglet::kernels {

/// The words of CPUID and XGETBV that decide. All zero: nothing but the scalar kernels.
struct X86Cpu {
  uint32_t leaf1_ecx = 0;
  uint32_t leaf7_ebx = 0;  // subleaf 0; zero where the CPU has no leaf 7
  uint32_t leaf7_ecx = 0;
  uint64_t xcr0 = 0;  // register states that the system saves; zero without OSXSAVE
  bool intel = false;
};

/// Whether such a CPU runs the kernels of `isa`.
bool runs(const X86Cpu& cpu, Isa isa) noexcept;

/// Whether such a CPU gains by `fetch_far` (fetch.h). AMD's does: 300 rows out of 24 MB take 78 us after 105
/// (Zen 4). Intel's fetches long rows ahead by itself, and further than its few line buffers would let it:
/// a request's first layer takes 7 % longer where they are full of what was asked for (Sapphire Rapids).
bool gains_by_far_fetches(const X86Cpu& cpu) noexcept;

#if defined(__x86_64__)
/// The CPU that runs this. Executes CPUID, and XGETBV where the system has enabled it.
X86Cpu this_cpu() noexcept;
#endif

}  // namespace kinglet::kernels
