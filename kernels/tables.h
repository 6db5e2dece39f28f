#pragma once

#include "kinglet/kernels/kernels.h"

/// One table an instruction set, each defined in the one file that is compiled with its flags.
namespace kinglet::kernels {

extern const KernelTable scalar_table;
extern const KernelTable sse42_table;
extern const KernelTable avx2_table;
extern const KernelTable avx512_table;
extern const KernelTable avx512vnni_table;
extern const KernelTable neon_table;

}  // namespace kinglet::kernels
