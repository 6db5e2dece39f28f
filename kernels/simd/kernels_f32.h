#pragma once

#include <type_traits>

#include <xsimd/xsimd.hpp>

#include "kinglet/kernels/kernels.h"

/// Below the entry points everything is forced inline: no function of its own, nothing to call.
#define KINGLET_INLINE [[gnu::always_inline]] static inline

/// The kernels that compute in fp32, for any instruction set that xsimd knows: one lane an output, whatever
/// type rows and weights are stored in. `Set` says what differs:
///   - Batch: a vector of floats.
///   - fused: fma(a, b, c), rounded once. Not xsimd::fma: where xsimd knows no instruction for it (SSE4.2; in
///     xsimd 8 also AVX-512 and NEON), it multiplies, rounds and adds.
///   - widen: a vector of 16-bit integers or 16-bit floats, loaded from any address and made floats, exactly.
///   - split: a vector of words of two bf16 each, from any address, as floats: the even and the odd ones.
///     interleave: two vectors so divided, in order.
///   - kRows: rows that add_rows takes side by side; of 16-bit elements, twice as many.
///   - kPanels: panels that gemv takes side by side, a power of two: enough independent sums to hide the
///     latency of `fused`, few enough to stay in registers.
///   - kLanes: vectors that gemv multiplies with weights loaded once, of half as many panels.
/// `Set` is of the unnamed namespace of the one file that is compiled with the set's flags. So are these
/// functions then, and no linker can pick them for older CPUs.
namespace kinglet::kernels::simd {

template <typename Set>
struct KernelsF32 {
  using Batch = typename Set::Batch;
  static constexpr size_t kSize = Batch::size;

  KINGLET_INLINE Batch load(const float* from) { return Batch::load_aligned(from); }
  template <typename Narrow>
  KINGLET_INLINE Batch load(const Narrow* from) {
    return Set::widen(from);
  }

  KINGLET_INLINE Batch finish(Batch z, const Epilogue& epilogue, size_t o) {
    for (size_t a = 0; a < epilogue.addend_count; ++a) {
      const Addend& addend = epilogue.addends[a];
      const Batch value = Batch::load_aligned(addend.value + o);
      z += addend.scale != nullptr ? Set::fused(Batch::load_aligned(addend.scale + o), value,
                                                Batch::load_aligned(addend.shift + o))
                                   : value;
    }
    if (epilogue.leaky) z = xsimd::select(z > Batch(0.0F), z, Batch(epilogue.slope) * z);
    if (epilogue.scale != nullptr) {
      z = Set::fused(Batch::load_aligned(epilogue.scale + o), z, Batch::load_aligned(epilogue.shift + o));
    }
    return z;
  }

  /// Two vectors of neighbouring outputs. bf16 is made floats fastest a word of two at a time, which puts
  /// even outputs into the first vector and odd ones into the second: sums stay so until `in_order`.
  template <typename Element>
  KINGLET_INLINE void load_two(const Element* from, Batch& first, Batch& second) {
    if constexpr (std::is_same_v<Element, Bf16>) {
      Set::split(from, first, second);
    } else {
      first = load(from);
      second = load(from + kSize);
    }
  }
  template <typename Element>
  KINGLET_INLINE void in_order(Batch& first, Batch& second) {
    if constexpr (std::is_same_v<Element, Bf16>) Set::interleave(first, second);
  }

  /// Adds `kRows` rows to the sums s of the outputs from `begin` on, each output taking them in order.
  template <size_t kRows, typename Element>
  KINGLET_INLINE void add_row_group(const Element* rows, size_t stride, size_t begin, size_t outputs,
                                    const RowTerm* terms, float* s) {
    const Element* row[kRows];
    Batch weight[kRows];
    for (size_t r = 0; r < kRows; ++r) {
      row[r] = rows + terms[r].row * stride + begin;
      weight[r] = Batch(terms[r].weight);
    }
    size_t o = 0;
    for (; o + 2 * kSize <= outputs; o += 2 * kSize) {
      Batch first = Batch::load_aligned(s + o);
      Batch second = Batch::load_aligned(s + o + kSize);
      for (size_t r = 0; r < kRows; ++r) {
        Batch low;
        Batch high;
        load_two(row[r] + o, low, high);
        first = Set::fused(weight[r], low, first);
        second = Set::fused(weight[r], high, second);
      }
      first.store_aligned(s + o);
      second.store_aligned(s + o + kSize);
    }
    for (; o < outputs; o += kSize) {
      Batch sum = Batch::load_aligned(s + o);
      for (size_t r = 0; r < kRows; ++r) sum = Set::fused(weight[r], load(row[r] + o), sum);
      sum.store_aligned(s + o);
    }
  }

  /// sum = fma(scale * output_scale, s, sum) of one vector.
  KINGLET_INLINE void add_to(Batch s, float scale, const float* output_scale, float* sum) {
    Batch factor(scale);
    if (output_scale != nullptr) factor = factor * Batch::load_aligned(output_scale);
    Set::fused(factor, s, Batch::load_aligned(sum)).store_aligned(sum);
  }

  template <typename Element>
  KINGLET_INLINE void add_sums(const float* s, size_t outputs, float scale, const float* output_scale,
                               float* sum) {
    const auto scale_at = [output_scale](size_t o) {
      return output_scale != nullptr ? output_scale + o : nullptr;
    };
    size_t o = 0;
    for (; o + 2 * kSize <= outputs; o += 2 * kSize) {
      Batch first = Batch::load_aligned(s + o);
      Batch second = Batch::load_aligned(s + o + kSize);
      in_order<Element>(first, second);
      add_to(first, scale, scale_at(o), sum + o);
      add_to(second, scale, scale_at(o + kSize), sum + o + kSize);
    }
    for (; o < outputs; o += kSize) add_to(Batch::load_aligned(s + o), scale, scale_at(o), sum + o);
  }

  /// Rows are read as they lie, a few side by side, into sums that stay in the first-level cache: long runs
  /// are what the CPU fetches ahead.
  template <typename Element>
  KINGLET_INLINE void add_typed_rows(const Element* rows, size_t stride, size_t width, const RowTerm* terms,
                                     size_t count, float scale, const float* output_scale, float* sum) {
    constexpr bool kNarrow = sizeof(Element) == 2;
    constexpr size_t kBlock = kNarrow ? 4096 : 1024;  // outputs: 4 KB of each row, 8 KB of narrow ones
    constexpr size_t kRows = kNarrow ? 2 * Set::kRows : Set::kRows;
    alignas(kAlignment) float s[kBlock];
    for (size_t begin = 0; begin < width; begin += kBlock) {
      const size_t outputs = width - begin < kBlock ? width - begin : kBlock;
      for (size_t o = 0; o < outputs; o += kSize) Batch(0.0F).store_aligned(s + o);
      size_t t = 0;
      for (; t + kRows <= count; t += kRows) add_row_group<kRows>(rows, stride, begin, outputs, terms + t, s);
      for (; t < count; ++t) add_row_group<1>(rows, stride, begin, outputs, terms + t, s);
      add_sums<Element>(s, outputs, scale, output_scale != nullptr ? output_scale + begin : nullptr,
                        sum + begin);
    }
  }

  template <typename Element>
  static void add_rows(const Element* rows, size_t stride, size_t width, const RowTerm* terms, size_t count,
                       float scale, float* sum) {
    add_typed_rows(rows, stride, width, terms, count, scale, nullptr, sum);
  }

  static void add_rows_s16(const int16_t* rows, size_t stride, size_t width, const RowTerm* terms,
                           size_t count, float scale, const float* output_scale, float* sum) {
    add_typed_rows(rows, stride, width, terms, count, scale, output_scale, sum);
  }

  /// `kPanels` panels of `kLanes` lanes side by side, their sums in registers.
  template <size_t kPanel, size_t kPanels, size_t kLanes, typename Element>
  KINGLET_INLINE void gemv_tile(const Element* panels, size_t inputs, size_t begin, const float* bias,
                                const DenseLane* lanes) {
    constexpr size_t kBatches = kPanel / kSize;
    constexpr size_t kSums = kPanels * kBatches;
    const float* in[kLanes];
    Batch z[kLanes][kSums];
    for (size_t lane = 0; lane < kLanes; ++lane) {
      in[lane] = static_cast<const float*>(lanes[lane].in);
      for (size_t b = 0; b < kSums; ++b) z[lane][b] = Batch::load_aligned(bias + begin + b * kSize);
    }
    for (size_t block = 0; block < inputs; block += kSumBlock) {
      const size_t end = inputs - block < kSumBlock ? inputs : block + kSumBlock;
      Batch s[kLanes][kSums];
      for (size_t lane = 0; lane < kLanes; ++lane) {
        for (size_t b = 0; b < kSums; ++b) s[lane][b] = Batch(0.0F);
      }
      for (size_t i = block; i < end; ++i) {
        Batch x[kLanes];
        for (size_t lane = 0; lane < kLanes; ++lane) x[lane] = Batch(in[lane][i]);
        for (size_t p = 0; p < kPanels; ++p) {
          const Element* weights = panels + (p * inputs + i) * kPanel;
          for (size_t b = 0; b + 1 < kBatches; b += 2) {
            Batch first;
            Batch second;
            load_two(weights + b * kSize, first, second);
            for (size_t lane = 0; lane < kLanes; ++lane) {
              Batch* sums = s[lane] + p * kBatches + b;
              sums[0] = Set::fused(first, x[lane], sums[0]);
              sums[1] = Set::fused(second, x[lane], sums[1]);
            }
          }
          if constexpr (kBatches == 1) {
            const Batch w = load(weights);
            for (size_t lane = 0; lane < kLanes; ++lane) s[lane][p] = Set::fused(w, x[lane], s[lane][p]);
          }
        }
      }
      for (size_t lane = 0; lane < kLanes; ++lane) {
        if constexpr (kBatches > 1) {
          for (size_t b = 0; b < kSums; b += 2) in_order<Element>(s[lane][b], s[lane][b + 1]);
        }
        for (size_t b = 0; b < kSums; ++b) z[lane][b] += s[lane][b];
      }
    }
    for (size_t lane = 0; lane < kLanes; ++lane) {
      for (size_t b = 0; b < kSums; ++b) {
        const size_t o = begin + b * kSize;
        finish(z[lane][b], lanes[lane].epilogue, o).store_aligned(lanes[lane].out + o);
      }
    }
  }

  /// Panels from output `begin` on: as many tiles of `kPanels` as fit, the rest in tiles of half as many. A
  /// tile's weights are run for all lanes, `kLanes` of them a load, before the next are read.
  template <size_t kPanel, size_t kPanels, size_t kLanes, typename Element>
  KINGLET_INLINE void gemv_panels(const Element* panels, size_t inputs, size_t begin, size_t outputs,
                                  const float* bias, const DenseLane* lanes, size_t count) {
    constexpr size_t kTile = kPanels * kPanel;
    for (; begin + kTile <= outputs; begin += kTile) {
      const Element* tile = panels + begin * inputs;
      size_t lane = 0;
      for (; lane + kLanes <= count; lane += kLanes)
        gemv_tile<kPanel, kPanels, kLanes>(tile, inputs, begin, bias, lanes + lane);
      if constexpr (kLanes > 1) {
        for (; lane < count; ++lane) gemv_tile<kPanel, kPanels, 1>(tile, inputs, begin, bias, lanes + lane);
      }
    }
    if constexpr (kPanels > 1)
      gemv_panels<kPanel, kPanels / 2, kLanes>(panels, inputs, begin, outputs, bias, lanes, count);
  }

  template <size_t kPanel, typename Element>
  KINGLET_INLINE void gemv_of(const Element* panels, size_t inputs, size_t outputs, const float* bias,
                              const DenseLane* lanes, size_t count) {
    constexpr size_t kLanePanels = Set::kLanes > 1 ? Set::kPanels / 2 : Set::kPanels;
    if (count < Set::kLanes) {
      gemv_panels<kPanel, Set::kPanels, 1>(panels, inputs, 0, outputs, bias, lanes, count);
    } else {
      gemv_panels<kPanel, kLanePanels, Set::kLanes>(panels, inputs, 0, outputs, bias, lanes, count);
    }
  }

  template <typename Element>
  static void gemv(const Element* panels, size_t panel, size_t inputs, size_t outputs, const float* bias,
                   const DenseLane* lanes, size_t count) {
    if (panel == kWidePanel) {
      gemv_of<kWidePanel>(panels, inputs, outputs, bias, lanes, count);
    } else {
      gemv_of<kSlimPanel>(panels, inputs, outputs, bias, lanes, count);
    }
  }

  static float find_flips(const float* scale, const float* in, size_t width, float* out) {
    const Batch zero(0.0F);
    Batch largest = zero;
    for (size_t o = 0; o < width; o += kSize) {
      const Batch product = Batch::load_aligned(scale + o) * Batch::load_aligned(in + o);
      const Batch flips = xsimd::select(product > zero, product, zero);
      flips.store_aligned(out + o);
      largest = xsimd::max(largest, flips);
    }
    alignas(kAlignment) float lanes[kSize];
    largest.store_aligned(lanes);
    float result = 0;
    for (const float lane : lanes) result = lane > result ? lane : result;
    return result;
  }

  static void activate(const float* in, size_t width, const Epilogue& epilogue, float* out) {
    for (size_t o = 0; o < width; o += kSize) {
      finish(Batch::load_aligned(in + o), epilogue, o).store_aligned(out + o);
    }
  }
};

}  // namespace kinglet::kernels::simd
