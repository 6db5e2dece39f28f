#pragma once

#include <array>
#include <cstdint>

#include <xxhash.h>

#include "kinglet/formats/row.h"

#include "row_counters.h"

namespace kinglet::history {

/// XXH3-128 over what a history takes from its rows, in their order: however the rows are split into files or
/// compressed, the same history has the same fingerprint.
class RowFingerprint {
 public:
  RowFingerprint() { XXH3_128bits_reset(&state_); }

  void add(const Row& row, const RowCounters& counters) {
    const std::array<uint64_t, 4> words{counters.increments(), static_cast<uint64_t>(row.time()),
                                        row.engagee_follows_engager ? uint64_t{1} : 0,
                                        counters.keys().size()};
    XXH3_128bits_update(&state_, words.data(), sizeof words);
    XXH3_128bits_update(&state_, counters.keys().data(), counters.keys().size_bytes());
  }

  std::array<uint8_t, 16> value() const {
    XXH128_canonical_t form;
    XXH128_canonicalFromHash(&form, XXH3_128bits_digest(&state_));
    return std::to_array(form.digest);
  }

 private:
  XXH3_state_t state_{};
};

}  // namespace kinglet::history
