#pragma once

#include <algorithm>

#include "simd/kernels_s8.h"

/// The kernel of 4-bit rows, for any instruction set. Sums of integers are exact, in whatever order. Beside
/// what kernels_s8.h asks of a `Set`:
///   - Nibbles, zero_nibbles, load_nibbles: a vector of bytes, from any address.
///   - add_nibbles(low, high, pairs): adds the lower and the upper half of each byte to two vectors of bytes.
///   - widen_lower, widen_upper: the first and the last half of a vector of bytes as Shorts.
///   - add_shorts, all_shorts(value): on 16-bit integers.
namespace kinglet::kernels::simd {

template <typename Set>
struct KernelsS4 {
  using S8 = KernelsS8<Set>;
  using Nibbles = typename Set::Nibbles;
  using Shorts = typename Set::Shorts;
  static constexpr size_t kBytes = sizeof(Nibbles);
  static constexpr size_t kGroupBytes = kNibbleGroup / 2;
  static constexpr size_t kHalf = kBytes / 2;  // outputs in one vector of 16-bit sums

  /// Halves of bytes add up to no more than 15 each, so that so many rows fit a byte.
  static constexpr size_t kByteRows = 16;
  /// Rows in one call, one that counts n times being n of them: their sums fit 16 bits.
  static constexpr size_t kUnits = 512;
  static_assert(kUnits * kNibbleOffset <= 0x8000);

  /// Where the sums of a vector of bytes go that lies `at` bytes from the row's begin: its lower halves'
  /// first outputs, and how far from there are the others.
  static constexpr size_t first_output(size_t at) {
    return at / kGroupBytes * kNibbleGroup + at % kGroupBytes;
  }
  static constexpr size_t kUpperBytes = kBytes > kGroupBytes ? kNibbleGroup : kHalf;

  struct Units {
    const uint8_t* rows[kUnits];
    const uint8_t* next[kUnits];  // those of the next call, or the same ones
    const uint8_t* far[kUnits];   // what to ask for meanwhile (far_from)
    size_t count;
  };

  /// False where they are too many, or count less than not at all.
  KINGLET_INLINE bool find_units(const uint8_t* rows, size_t stride, const CountTerm* terms, size_t count,
                                 size_t ahead, Units& units) {
    units.count = 0;
    for (size_t t = 0; t < count; ++t) {
      if (terms[t].count < 0 || static_cast<size_t>(terms[t].count) > kUnits - units.count) return false;
      for (int32_t n = 0; n < terms[t].count; ++n) {
        units.rows[units.count++] = rows + terms[t].row * (stride / 2);
      }
    }
    for (size_t u = 0; u < units.count; ++u) {
      units.next[u] = u < ahead ? rows + terms[count + u].row * (stride / 2) : units.rows[u];
      if (!fetch_far) continue;
      units.far[u] = S8::far_from(units.rows[u], rows, stride / 2, u < ahead ? &terms[count + u] : nullptr);
    }
    return true;
  }

  /// The sums of `kVectors` vectors of bytes, `at` bytes into the rows. The lines behind them, at `fetched`
  /// of `fetched_rows`, are asked for meanwhile, and those far behind, as for 8-bit rows.
  template <size_t kVectors>
  KINGLET_INLINE void add_block(const Units& units, size_t at, const uint8_t* const* fetched_rows,
                                size_t fetched, float scale, const float* output_scale, float* sum) {
    constexpr size_t kLine = 64;
    const Shorts offset = Set::all_shorts(static_cast<int16_t>(-kNibbleOffset * int32_t(units.count)));
    Shorts sums[kVectors][4];
    for (size_t v = 0; v < kVectors; ++v) {
      for (Shorts& part : sums[v]) part = offset;
    }
    for (size_t begin = 0; begin < units.count; begin += kByteRows) {
      const size_t end = std::min(units.count, begin + kByteRows);
      Nibbles low[kVectors];
      Nibbles high[kVectors];
      for (size_t v = 0; v < kVectors; ++v) low[v] = high[v] = Set::zero_nibbles();
      for (size_t u = begin; u < end; ++u) {
        const uint8_t* row = units.rows[u] + at;
        const uint8_t* behind = fetched_rows[u] + fetched;
        for (size_t byte = 0; byte < kVectors * kBytes; byte += kLine) {
          __builtin_prefetch(behind + byte);
          if (fetch_far) __builtin_prefetch(units.far[u] + at + byte, 0, 2);
        }
        for (size_t v = 0; v < kVectors; ++v) {
          Set::add_nibbles(low[v], high[v], Set::load_nibbles(row + v * kBytes));
        }
      }
      for (size_t v = 0; v < kVectors; ++v) {
        sums[v][0] = Set::add_shorts(sums[v][0], Set::widen_lower(low[v]));
        sums[v][1] = Set::add_shorts(sums[v][1], Set::widen_upper(low[v]));
        sums[v][2] = Set::add_shorts(sums[v][2], Set::widen_lower(high[v]));
        sums[v][3] = Set::add_shorts(sums[v][3], Set::widen_upper(high[v]));
      }
    }
    for (size_t v = 0; v < kVectors; ++v) {
      alignas(kAlignment) int16_t parts[4][kHalf];
      for (size_t p = 0; p < 4; ++p) {
        Set::store_shorts(parts[p], sums[v][p]);
        const size_t o = first_output(at + v * kBytes) + p / 2 * kGroupBytes + p % 2 * kUpperBytes;
        S8::add_to(parts[p], kHalf, scale, output_scale + o, sum + o);
      }
    }
  }

  /// Counts of any size and sign: left to the compiler, as they are rare.
  KINGLET_INLINE void add_rows_long(const uint8_t* rows, size_t stride, size_t width, const CountTerm* terms,
                                    size_t count, float scale, const float* output_scale, float* sum) {
    for (size_t begin = 0; begin < width; begin += kNibbleGroup) {
      alignas(kAlignment) int32_t sums[kNibbleGroup] = {};
      for (size_t t = 0; t < count; ++t) {
        const uint8_t* group = rows + (terms[t].row * stride + begin) / 2;
        for (size_t o = 0; o < kGroupBytes; ++o) {
          sums[o] += terms[t].count * ((group[o] & 15) - kNibbleOffset);
          sums[kGroupBytes + o] += terms[t].count * ((group[o] >> 4) - kNibbleOffset);
        }
      }
      S8::add_ints_to(sums, kNibbleGroup, scale, output_scale + begin, sum + begin);
    }
  }

  /// `width` is a multiple of the outputs of one vector of bytes.
  static void add_rows(const uint8_t* rows, size_t stride, size_t width, const CountTerm* terms, size_t count,
                       size_t ahead, float scale, const float* output_scale, float* sum) {
    Units units;
    if (!find_units(rows, stride, terms, count, ahead, units)) {
      return add_rows_long(rows, stride, width, terms, count, scale, output_scale, sum);
    }
    constexpr size_t kVectors = 2;
    const size_t bytes = width / 2;
    size_t at = 0;
    for (; at + kVectors * kBytes <= bytes; at += kVectors * kBytes) {
      const bool last = at + 2 * kVectors * kBytes > bytes;
      add_block<kVectors>(units, at, last ? units.next : units.rows, last ? 0 : at + kVectors * kBytes, scale,
                          output_scale, sum);
    }
    if (at < bytes) add_block<1>(units, at, units.next, 0, scale, output_scale, sum);
  }
};

}  // namespace kinglet::kernels::simd
