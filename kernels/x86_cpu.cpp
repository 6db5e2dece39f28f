#include "x86_cpu.h"

#include <initializer_list>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace kinglet::kernels {
namespace {

constexpr uint64_t bits(std::initializer_list<unsigned> places) {
  uint64_t word = 0;
  for (const unsigned place : places) word |= uint64_t{1} << place;
  return word;
}

constexpr bool has(uint64_t word, uint64_t wanted) {
  return (word & wanted) == wanted;
}

// CPUID leaf 1, ECX. A compiler's -msse4.2 stands for all before it and for POPCNT.
constexpr uint64_t kSse42 = bits({0 /*SSE3*/, 9 /*SSSE3*/, 19 /*SSE4.1*/, 20 /*SSE4.2*/, 23 /*POPCNT*/});
constexpr uint64_t kFmaAvxF16c = bits({12 /*FMA*/, 27 /*OSXSAVE*/, 28 /*AVX*/, 29 /*F16C*/});
// CPUID leaf 7, EBX and ECX.
constexpr uint64_t kAvx2 = bits({5});
constexpr uint64_t kAvx512 = bits({16 /*F*/, 17 /*DQ*/, 30 /*BW*/, 31 /*VL*/});
constexpr uint64_t kVnni = bits({11});
// XCR0: without these the system loses registers at a context switch, or the instructions fault.
constexpr uint64_t kYmmState = bits({1 /*XMM*/, 2 /*upper halves of YMM*/});
constexpr uint64_t kZmmState = kYmmState | bits({5 /*masks*/, 6 /*upper halves of ZMM0-15*/, 7 /*ZMM16-31*/});

bool runs_avx2(const X86Cpu& cpu) {
  return has(cpu.leaf1_ecx, kSse42 | kFmaAvxF16c) && has(cpu.leaf7_ebx, kAvx2) && has(cpu.xcr0, kYmmState);
}

bool runs_avx512(const X86Cpu& cpu) {
  return runs_avx2(cpu) && has(cpu.leaf7_ebx, kAvx512) && has(cpu.xcr0, kZmmState);
}

}  // namespace

bool runs(const X86Cpu& cpu, Isa isa) noexcept {
  switch (isa) {
    case Isa::scalar:
      return true;
    case Isa::sse42:
      return has(cpu.leaf1_ecx, kSse42);
    case Isa::avx2:
      return runs_avx2(cpu);
    case Isa::avx512:
      return runs_avx512(cpu);
    case Isa::avx512vnni:
      return runs_avx512(cpu) && has(cpu.leaf7_ecx, kVnni);
    case Isa::neon:
      return false;
  }
  return false;
}

bool gains_by_far_fetches(const X86Cpu& cpu) noexcept {
  return !cpu.intel;
}

#if defined(__x86_64__)
namespace {

[[gnu::target("xsave")]] uint64_t read_xcr0() {
  return _xgetbv(0);
}

}  // namespace

X86Cpu this_cpu() noexcept {
  X86Cpu cpu;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid(0, &eax, &ebx, &ecx, &edx) != 0)
    cpu.intel = ebx == signature_INTEL_ebx && ecx == signature_INTEL_ecx && edx == signature_INTEL_edx;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) cpu.leaf1_ecx = ecx;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {  // 0 where leaf 7 does not exist
    cpu.leaf7_ebx = ebx;
    cpu.leaf7_ecx = ecx;
  }
  constexpr uint64_t kOsxsave = bits({27});
  if (has(cpu.leaf1_ecx, kOsxsave)) cpu.xcr0 = read_xcr0();
  return cpu;
}
#endif

}  // namespace kinglet::kernels
