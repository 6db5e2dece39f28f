#pragma once

#include <cstdint>
#include <string_view>

#include <xxhash.h>

namespace kinglet::metrics {

/// What stands for an id in a table: 128 bits, so that two ids never meet in practice.
struct IdHash {
  uint64_t low, high;
  friend bool operator==(const IdHash&, const IdHash&) = default;
};

inline IdHash id_hash(std::string_view id) noexcept {
  const XXH128_hash_t hash = XXH3_128bits(id.data(), id.size());
  return {hash.low64, hash.high64};
}

struct IdHasher {
  size_t operator()(const IdHash& id) const noexcept { return static_cast<size_t>(id.low); }
};

}  // namespace kinglet::metrics
