#pragma once

#include "support/small_model.h"

namespace kinglet::test {

/// Changes only with the documented arithmetic (docs/numerics.md), in a commit that says so.
inline constexpr uint64_t kSignatureFp32 = 0xA382'3376'DB33'185B;

/// The fixed network whose signature this is.
inline std::filesystem::path write_signature_model(const TempDir& dir) {
  synthetic::NetworkOptions network;
  network.hidden = 33;
  network.depth = 5;
  network.width = 64;
  return write_model(dir, network, 500);
}

}  // namespace kinglet::test
