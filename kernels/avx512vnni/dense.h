#pragma once

#include "avx512vnni/quantize.h"

namespace kinglet::kernels {
namespace {

/// Weights of one quad of inputs in `kPanels` panels.
template <size_t kPanels>
struct QuadWeights {
  static constexpr size_t kVectors = kPanels * kWidePanel * kQuad / 64;

  /// Vector `v` of the quad that begins with input i.
  KINGLET_INLINE const int8_t* at(const int8_t* panels, size_t inputs, size_t i, size_t v) {
    constexpr size_t kPanelVectors = kVectors / kPanels;
    return panels + (v / kPanelVectors * inputs + i) * kWidePanel + v % kPanelVectors * 64;
  }
  KINGLET_INLINE __m512i load(const int8_t* panels, size_t inputs, size_t i, size_t v) {
    return _mm512_load_si512(at(panels, inputs, i, v));
  }
};

/// A lane's sums of all outputs of `kPanels` panels.
template <size_t kPanels>
using TileSums = Sums[QuadWeights<kPanels>::kVectors];

/// Dense layers of lanes whose high parts are rare. Weights are taken a part at a time, of as many inputs as
/// leave them in the first-level cache: for the low parts of all lanes, four by four, then for each lane's
/// wide quads. Several lanes are bound by arithmetic, so that the next part's weights are fetched meanwhile.
template <size_t kPanels, size_t kMostLanes>
class Tile {
 public:
  using Weights = QuadWeights<kPanels>;
  static constexpr size_t kVectors = Weights::kVectors;
  using LaneSums = TileSums<kPanels>;

  [[gnu::always_inline]] void run(const int8_t* panels, size_t inputs, const DenseLane* lanes, size_t count) {
    for (size_t lane = 0; lane < count; ++lane) start(lane, lanes[lane].in);
    for (size_t begin = 0; begin < inputs; begin += kPartInputs) {
      const size_t end = inputs - begin < kPartInputs ? inputs : begin + kPartInputs;
      const int8_t* next =
          end < inputs ? panels + kPartInputs * kWidePanel : panels + (kPanels * inputs - begin) * kWidePanel;
      add_lows(panels, inputs, begin, end, next, count);
      for (size_t lane = 0; lane < count; ++lane) add_high(panels, inputs, end, lane);
    }
  }

  const LaneSums& low(size_t lane) const { return low_[lane]; }
  const LaneSums& high(size_t lane) const { return high_[lane]; }

 private:
  static constexpr size_t kPartInputs = 512 / kPanels;
  static constexpr size_t kGroup = kMostLanes < 4 ? 1 : 4;  // lanes that share a load of weights

  [[gnu::always_inline]] void start(size_t lane, const void* quantised) {
    const auto* header = static_cast<const Quantised*>(quantised);
    in_[lane] = parts_at(quantised, Quantised::kLowAt);
    wide_[lane] = reinterpret_cast<const WideQuad*>(parts_at(quantised, header->list_at));
    for (size_t v = 0; v < kVectors; ++v) low_[lane][v] = high_[lane][v] = Sums{};
  }

  /// `next`: where the panels would begin were the next part's inputs numbered as this one's.
  [[gnu::always_inline]] void add_lows(const int8_t* panels, size_t inputs, size_t begin, size_t end,
                                       const int8_t* next, size_t count) {
    size_t lane = 0;
    if constexpr (kGroup > 1) {
      const size_t groups = count / kGroup;
      // Of each quad of the next part the first groups fetch a vector, or two groups half of them; one alone
      // waits for memory as it is.
      constexpr size_t kHalf = kVectors / 2;
      const size_t share = groups >= kVectors ? 1 : groups > 1 ? kHalf : kVectors;
      for (size_t group = 0; group < groups; ++group, lane += kGroup) {
        const size_t fetched = group * share;
        if (groups == 1 || fetched >= kVectors) {
          add_low<kGroup, 0>(panels, inputs, begin, end, lane, next, 0);
        } else if (share == kHalf) {
          add_low<kGroup, kHalf>(panels, inputs, begin, end, lane, next, fetched);
        } else if constexpr (kHalf > 1) {
          add_low<kGroup, 1>(panels, inputs, begin, end, lane, next, fetched);
        }
      }
    }
    for (; lane < count; ++lane) add_low<1, 0>(panels, inputs, begin, end, lane, next, 0);
  }

  /// Of what comes next, `kFetched` vectors of each quad are fetched, from the `fetched`th on.
  template <size_t kLanes, size_t kFetched>
  [[gnu::always_inline]] void add_low(const int8_t* panels, size_t inputs, size_t begin, size_t end,
                                      size_t first, const int8_t* next, size_t fetched) {
    Sums sums[kLanes][kVectors];
    std::memcpy(sums, low_[first], sizeof sums);
    const int8_t* fetch[kFetched + 1];
    for (size_t f = 0; f < kFetched; ++f) fetch[f] = Weights::at(next, inputs, 0, fetched + f);
    for (size_t i = begin; i < end; i += kQuad) {
      for (size_t f = 0; f < kFetched; ++f) __builtin_prefetch(fetch[f] + i * kWidePanel, 0, 2);
      __m512i q[kLanes];
      for (size_t lane = 0; lane < kLanes; ++lane) q[lane] = broadcast(in_[first + lane] + i);
      for (size_t v = 0; v < kVectors; ++v) {
        const __m512i w = Weights::load(panels, inputs, i, v);
        for (size_t lane = 0; lane < kLanes; ++lane) sums[lane][v] = add_products(sums[lane][v], q[lane], w);
      }
    }
    std::memcpy(low_[first], sums, sizeof sums);
  }

  /// Adds the lane's wide quads before input `end`.
  [[gnu::always_inline]] void add_high(const int8_t* panels, size_t inputs, size_t end, size_t lane) {
    const size_t twice_end = 2 * (end / kQuad);
    const WideQuad* wide = wide_[lane];
    Sums sums[kVectors];
    std::memcpy(sums, high_[lane], sizeof sums);
    for (; wide->twice < twice_end; ++wide) {
      const __m512i parts = broadcast(wide->parts);
      const __m512i inverted = _mm512_set1_epi32(-static_cast<int32_t>(wide->twice & 1));
      for (size_t v = 0; v < kVectors; ++v) {
        const __m512i w = Weights::load(panels, inputs, wide->twice / 2 * kQuad, v);
        sums[v] = add_products(sums[v], parts, _mm512_xor_si512(w, inverted));
      }
    }
    std::memcpy(high_[lane], sums, sizeof sums);
    wide_[lane] = wide;
  }

  LaneSums low_[kMostLanes];
  LaneSums high_[kMostLanes];
  const uint8_t* in_[kMostLanes];
  const WideQuad* wide_[kMostLanes];
};

/// The last step of a lane's `kPanels` panels.
template <size_t kPanels>
KINGLET_INLINE void finish_tile(const TileSums<kPanels>& low, const TileSums<kPanels>& high, int high_offset,
                                size_t begin, const float* output_scale, const int32_t* weight_sums,
                                const float* bias, const DenseLane& lane) {
  const __m512i negative = _mm512_set1_epi32(static_cast<const Quantised*>(lane.in)->negative);
  alignas(kAlignment) int32_t sums[kPanels * kWidePanel];
  for (size_t v = 0; v < QuadWeights<kPanels>::kVectors; ++v) {
    // The parts may leave 32 bits on the way; what is left of them at the end does not.
    const __m512i offsets = _mm512_set1_epi32(256 * high_offset + kLowOffset);
    const __m512i offset = _mm512_mullo_epi32(_mm512_loadu_si512(weight_sums + begin + 16 * v), offsets);
    const __m512i upper = _mm512_slli_epi32(_mm512_add_epi32(ints(high[v]), negative), 8);
    _mm512_store_si512(sums + 16 * v, _mm512_add_epi32(_mm512_sub_epi32(ints(low[v]), offset), upper));
  }
  for (size_t p = 0; p < kPanels; ++p)
    S8::finish_panel(sums + p * kWidePanel, begin + p * kWidePanel, output_scale, bias, lane);
}

/// Up to `kMostLanes` lanes whose high parts are rare.
template <size_t kPanels, size_t kMostLanes>
KINGLET_INLINE void gemv_tile(const int8_t* panels, size_t inputs, size_t begin, const float* output_scale,
                              const int32_t* weight_sums, const float* bias, const DenseLane* lanes,
                              size_t count) {
  Tile<kPanels, kMostLanes> tile;
  tile.run(panels + begin * inputs, inputs, lanes, count);
  for (size_t lane = 0; lane < count; ++lane) {
    finish_tile<kPanels>(tile.low(lane), tile.high(lane), 0, begin, output_scale, weight_sums, bias,
                         lanes[lane]);
  }
}

/// Lanes with all their high parts.
template <size_t kPanels, size_t kLanes>
KINGLET_INLINE void gemv_wide_tile(const int8_t* panels, size_t inputs, size_t begin,
                                   const float* output_scale, const int32_t* weight_sums, const float* bias,
                                   const DenseLane* lanes) {
  using Weights = QuadWeights<kPanels>;
  TileSums<kPanels> low[kLanes] = {};
  TileSums<kPanels> high[kLanes] = {};
  const uint8_t* low_in[kLanes];
  const uint8_t* high_in[kLanes];
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const void* quantised = lanes[lane].in;
    low_in[lane] = parts_at(quantised, Quantised::kLowAt);
    high_in[lane] = parts_at(quantised, static_cast<const Quantised*>(quantised)->high_at);
  }
  for (size_t i = 0; i < inputs; i += kQuad) {
    __m512i q_low[kLanes];
    __m512i q_high[kLanes];
    for (size_t lane = 0; lane < kLanes; ++lane) {
      q_low[lane] = broadcast(low_in[lane] + i);
      q_high[lane] = broadcast(high_in[lane] + i);
    }
    for (size_t v = 0; v < Weights::kVectors; ++v) {
      const __m512i w = Weights::load(panels + begin * inputs, inputs, i, v);
      for (size_t lane = 0; lane < kLanes; ++lane) {
        low[lane][v] = add_products(low[lane][v], q_low[lane], w);
        high[lane][v] = add_products(high[lane][v], q_high[lane], w);
      }
    }
  }
  for (size_t lane = 0; lane < kLanes; ++lane) {
    finish_tile<kPanels>(low[lane], high[lane], kHighOffset, begin, output_scale, weight_sums, bias,
                         lanes[lane]);
  }
}

template <size_t kPanels>
KINGLET_INLINE void gemv_lanes(const int8_t* panels, size_t inputs, size_t begin, const float* output_scale,
                               const int32_t* weight_sums, const float* bias, const DenseLane* lanes,
                               size_t count) {
  if (static_cast<const Quantised*>(lanes->in)->high_at != 0) {
    for (; count >= 2; count -= 2, lanes += 2)
      gemv_wide_tile<kPanels, 2>(panels, inputs, begin, output_scale, weight_sums, bias, lanes);
    if (count == 1) gemv_wide_tile<kPanels, 1>(panels, inputs, begin, output_scale, weight_sums, bias, lanes);
    return;
  }
  constexpr size_t kManyLanes = 16;
  while (count >= 2) {
    const size_t taken = count < kManyLanes ? count : kManyLanes;
    gemv_tile<kPanels, kManyLanes>(panels, inputs, begin, output_scale, weight_sums, bias, lanes, taken);
    count -= taken;
    lanes += taken;
  }
  if (count == 1) gemv_tile<kPanels, 1>(panels, inputs, begin, output_scale, weight_sums, bias, lanes, 1);
}

inline void gemv(const int8_t* panels, size_t inputs, size_t outputs, const float* output_scale,
                 const int32_t* weight_sums, const float* bias, const DenseLane* lanes, size_t count) {
  if (count == 0) return;
  size_t begin = 0;
  // One lane is bound by memory, which four panels' streams use better than two; several by arithmetic.
  if (count == 1 && static_cast<const Quantised*>(lanes->in)->high_at == 0) {
    for (; begin + 4 * kWidePanel <= outputs; begin += 4 * kWidePanel)
      gemv_tile<4, 1>(panels, inputs, begin, output_scale, weight_sums, bias, lanes, 1);
  }
  for (; begin + 2 * kWidePanel <= outputs; begin += 2 * kWidePanel)
    gemv_lanes<2>(panels, inputs, begin, output_scale, weight_sums, bias, lanes, count);
  if (begin < outputs) gemv_lanes<1>(panels, inputs, begin, output_scale, weight_sums, bias, lanes, count);
}

}  // namespace
}  // namespace kinglet::kernels
