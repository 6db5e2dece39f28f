#pragma once

/// Compiles a function for AVX2 too and takes that version where the CPU has it. Both do the same operations
/// in the same order (contraction is off), so they give the same bits.
#if defined(__x86_64__)
#define KINGLET_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define KINGLET_CLONES
#endif
