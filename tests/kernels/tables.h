#pragma once

#include <vector>

#include "kinglet/kernels/kernels.h"

namespace kinglet::test {

/// The kernels of every instruction set that this build and this CPU have, the scalar ones among them.
inline std::vector<const kernels::KernelTable*> tables() {
  std::vector<const kernels::KernelTable*> result;
  for (const kernels::Isa isa : kernels::built_isas()) {
    if (kernels::supported(isa)) result.push_back(kernels::table_of(isa));
  }
  return result;
}

}  // namespace kinglet::test
