#pragma once

#include "kinglet/kernels/kernels.h"

/// One table an instruction set, each defined in the one file that is compiled with its flags.
namespace kinglet::kernels {

extern const KernelTable scalar_table;
extern const KernelTable avx2_table;

}  // namespace kinglet::kernels
