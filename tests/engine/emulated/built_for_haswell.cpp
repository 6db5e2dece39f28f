// Compiled with the kernels' choice of CPU for Haswell as a whole, as -march=native would: it must not start
// on CPUs before it.
#include <cstdio>
#include <string>

#include "kinglet/kernels/isa.h"

int main() {
  std::printf("best %s\n", std::string(kinglet::kernels::isa_name(kinglet::kernels::best_isa())).c_str());
  return 0;
}
