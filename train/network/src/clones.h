#pragma once

/// Compiles a function for AVX2 and AVX-512 too and takes the best version that the CPU has. All do the same
/// operations in the same order (contraction is off), so they give the same bits.
#if defined(__x86_64__)
#define KINGLET_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define KINGLET_CLONES
#endif
