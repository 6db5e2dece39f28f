#include "../../kernels/x86_cpu.h"

#include <algorithm>
#include <vector>

#include <doctest/doctest.h>

#include "kinglet/kernels/kernels.h"

using kinglet::kernels::Isa;
using kinglet::kernels::runs;
using kinglet::kernels::X86Cpu;

namespace {

// Intel's Software Developer's Manual, volume 2, CPUID, and volume 1, chapter 13, XCR0.
constexpr uint32_t kSse3 = 1U << 0, kSsse3 = 1U << 9, kFma = 1U << 12, kSse41 = 1U << 19, kSse42 = 1U << 20,
                   kPopcnt = 1U << 23, kOsxsave = 1U << 27, kAvx = 1U << 28, kF16c = 1U << 29;
constexpr uint32_t kAvx2 = 1U << 5, kF = 1U << 16, kDq = 1U << 17, kBw = 1U << 30, kVl = 1U << 31;
constexpr uint32_t kVnni = 1U << 11;
constexpr uint64_t kX87 = 1, kXmm = 2, kYmm = 4, kMasks = 1U << 5, kZmmUpper = 1U << 6, kZmm16 = 1U << 7;

constexpr uint32_t kNehalem = kSse3 | kSsse3 | kSse41 | kSse42 | kPopcnt;
constexpr uint32_t kHaswell = kNehalem | kFma | kOsxsave | kAvx | kF16c;
constexpr uint32_t kSkylakeX = kAvx2 | kF | kDq | kBw | kVl;
constexpr uint64_t kAvxSystem = kX87 | kXmm | kYmm;
constexpr uint64_t kAvx512System = kAvxSystem | kMasks | kZmmUpper | kZmm16;
constexpr X86Cpu kIceLake = {kHaswell, kSkylakeX, kVnni, kAvx512System};

constexpr Isa kSlowestFirst[] = {Isa::scalar, Isa::sse42, Isa::avx2, Isa::avx512, Isa::avx512vnni};

/// The fastest set such a CPU runs, and proof that it runs every slower one.
Isa best(const X86Cpu& cpu) {
  Isa best = Isa::scalar;
  bool gap = false;
  for (const Isa isa : kSlowestFirst) {
    if (runs(cpu, isa)) {
      CHECK_MESSAGE(!gap, "a faster set runs where a slower one does not");
      best = isa;
    } else {
      gap = true;
    }
  }
  CHECK_FALSE(runs(cpu, Isa::neon));
  return best;
}

}  // namespace

TEST_CASE("CPUID: each generation of CPUs runs the sets it brought") {
  CHECK(best({}) == Isa::scalar);
  CHECK(best({kSse3 | kSsse3 | kSse41, 0, 0, 0}) == Isa::scalar);             // Penryn
  CHECK(best({kNehalem, 0, 0, 0}) == Isa::sse42);                             // Nehalem
  CHECK(best({kNehalem | kOsxsave | kAvx, 0, 0, kAvxSystem}) == Isa::sse42);  // Sandy Bridge
  CHECK(best({kHaswell, 0, 0, kAvxSystem}) == Isa::sse42);                    // Piledriver: no AVX2
  CHECK(best({kHaswell, kAvx2, 0, kAvxSystem}) == Isa::avx2);                 // Haswell
  CHECK(best({kHaswell & ~kFma, kAvx2, 0, kAvxSystem}) == Isa::sse42);        // VIA Eden X4: no FMA
  CHECK(best({kHaswell & ~kF16c, kAvx2, 0, kAvxSystem}) == Isa::sse42);       // a hypervisor hides it
  CHECK(best({kHaswell, kAvx2 | kF, 0, kAvx512System}) == Isa::avx2);         // Knights Landing: no BW
  CHECK(best({kHaswell, kAvx2, kVnni, kAvxSystem}) == Isa::avx2);
  CHECK(best({kHaswell, kSkylakeX, 0, kAvx512System}) == Isa::avx512);
  CHECK(best(kIceLake) == Isa::avx512vnni);
}

TEST_CASE("XGETBV: a system that does not save the registers has its sets refused") {
  const auto on_system = [](uint64_t xcr0) {
    X86Cpu cpu = kIceLake;
    cpu.xcr0 = xcr0;
    return best(cpu);
  };
  CHECK(on_system(kAvx512System) == Isa::avx512vnni);
  CHECK(on_system(kAvxSystem) == Isa::avx2);  // as "clearcpuid=avx512f" or an old hypervisor leaves it
  for (const uint64_t missing : {kMasks, kZmmUpper, kZmm16})
    CHECK(on_system(kAvx512System & ~missing) == Isa::avx2);
  for (const uint64_t missing : {kXmm, kYmm}) CHECK(on_system(kAvx512System & ~missing) == Isa::sse42);
  CHECK(on_system(kX87 | kXmm) == Isa::sse42);
  CHECK(on_system(0) == Isa::sse42);  // no OSXSAVE: XGETBV cannot be asked
  X86Cpu hidden = kIceLake;
  hidden.leaf1_ecx &= ~kOsxsave;
  CHECK(best(hidden) == Isa::sse42);
}

TEST_CASE("CPUID: without any one of its bits a set is refused") {
  struct Needed {
    Isa isa;
    uint32_t leaf1_ecx, leaf7_ebx, leaf7_ecx;
  };
  for (const Needed& needed :
       {Needed{Isa::sse42, kNehalem, 0, 0}, Needed{Isa::avx2, kHaswell, kAvx2, 0},
        Needed{Isa::avx512, kHaswell, kSkylakeX, 0}, Needed{Isa::avx512vnni, kHaswell, kSkylakeX, kVnni}}) {
    for (unsigned bit = 0; bit < 32; ++bit) {
      const uint32_t mask = 1U << bit;
      CHECK(runs({kIceLake.leaf1_ecx & ~mask, ~0U, ~0U, ~0ULL}, needed.isa) ==
            ((needed.leaf1_ecx & mask) == 0));
      CHECK(runs({~0U, kIceLake.leaf7_ebx & ~mask, ~0U, ~0ULL}, needed.isa) ==
            ((needed.leaf7_ebx & mask) == 0));
      CHECK(runs({~0U, ~0U, kIceLake.leaf7_ecx & ~mask, ~0ULL}, needed.isa) ==
            ((needed.leaf7_ecx & mask) == 0));
    }
  }
}

#if defined(__x86_64__)
TEST_CASE(
    "this CPU: what is supported is what its words say, and no more than the compiler's runtime finds") {
  const X86Cpu cpu = kinglet::kernels::this_cpu();
  for (const Isa isa : kSlowestFirst) CHECK(kinglet::kernels::supported(isa) == runs(cpu, isa));
  CHECK(kinglet::kernels::supported(Isa::sse42) == (__builtin_cpu_supports("sse4.2") != 0));
  CHECK(kinglet::kernels::supported(Isa::avx2) ==
        (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0));
  CHECK(kinglet::kernels::supported(Isa::avx512) ==
        (__builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0));
}
#endif

TEST_CASE("lines far ahead are asked for but on Intel's CPUs, which do so themselves") {
  using kinglet::kernels::gains_by_far_fetches;
  CHECK(gains_by_far_fetches({}));
  CHECK_FALSE(gains_by_far_fetches({.intel = true}));
}
