#pragma once

#include <cstring>

#include "simd/kernels_s8.h"

/// The kernels of rows of signs, for any instruction set: bits are counted in columns, as vectors of a bit
/// each of 1, 2, 4, .., by full adders, all outputs of a vector at a time. Beside what kernels_s8.h and
/// kernels_s4.h ask of a `Set`, nothing: on words of bits every compiler knows the operators.
namespace kinglet::kernels::simd {

/// Operators on words of bits, where a set has none that do more at a time.
struct BitOperators {
  template <typename Words>
  KINGLET_INLINE Words parity(Words a, Words b, Words c) {
    return a ^ b ^ c;
  }
  template <typename Words>
  KINGLET_INLINE Words majority(Words a, Words b, Words c) {
    return (a & b) | (c & (a ^ b));
  }
  template <typename Words>
  KINGLET_INLINE Words choose(Words mask, Words a, Words b) {
    return (a & mask) | (b & ~mask);
  }
};

template <typename Set>
struct KernelsS1 {
  using S8 = KernelsS8<Set>;
  using Batch = typename Set::Batch;
  using Bytes = typename Set::Nibbles;
  using Shorts = typename Set::Shorts;
  static constexpr size_t kBytes = sizeof(Bytes);
  using Words __attribute__((vector_size(kBytes))) = uint64_t;
  using Halves = typename S8::Halves;
  static constexpr size_t kGroupBytes = kSignGroup / 8;

  /// Rows in one go, one that counts n times being n of them: a byte holds their sum, of seven bits.
  static constexpr size_t kUnits = 127;
  static constexpr size_t kTogether = 8;

  struct Units {
    const uint8_t* rows[kUnits];
    const uint8_t* far[kUnits];  // what to ask for meanwhile (far_from)
    size_t count = 0;
  };

  KINGLET_INLINE Words load(const uint8_t* from) {
    Words words;
    std::memcpy(&words, from, sizeof words);
    return words;
  }

  /// Bits of a sum each: ones, twos, fours, .., of every output of a vector.
  struct Planes {
    Words p0{}, p1{}, p2{}, p3{}, p4{}, p5{}, p6{}, p7{};
  };

  /// Adds two bits to `sum`; returns what it carries.
  KINGLET_INLINE Words add_two(Words& sum, Words a, Words b) {
    const Words carried = Set::majority(sum, a, b);
    sum = Set::parity(sum, a, b);
    return carried;
  }
  KINGLET_INLINE Words add_one(Words& sum, Words a) {
    const Words carried = sum & a;
    sum ^= a;
    return carried;
  }

  /// Adds eight rows' bits to sums of kUsed bits.
  template <size_t kUsed>
  KINGLET_INLINE void add_together(Planes& sums, const Words (&row)[kTogether]) {
    const Words a = add_two(sums.p0, row[0], row[1]);
    const Words b = add_two(sums.p0, row[2], row[3]);
    const Words c = add_two(sums.p0, row[4], row[5]);
    const Words d = add_two(sums.p0, row[6], row[7]);
    const Words first = add_two(sums.p1, a, b);
    const Words last = add_two(sums.p1, c, d);
    Words carried = add_one(sums.p3, add_two(sums.p2, first, last));
    if constexpr (kUsed > 4) carried = add_one(sums.p4, carried);
    if constexpr (kUsed > 5) carried = add_one(sums.p5, carried);
    if constexpr (kUsed > 6) sums.p6 ^= carried;
  }

  /// Of two vectors: the bits of `a` and of `b` that kMask names, side by side, and the others.
  template <int kStep, uint64_t kMask>
  KINGLET_INLINE void exchange(Words& a, Words& b) {
    const Words mask = Words{} + kMask * 0x0101'0101'0101'0101U;
    const Words lower = Set::choose(mask, a, b << kStep);
    b = Set::choose(mask, a >> kStep, b);
    a = lower;
  }

  /// Bit p of byte j of vector b becomes what bit b of byte j of vector p was.
  KINGLET_INLINE void transpose(Planes& v) {
    exchange<4, 0x0F>(v.p0, v.p4);
    exchange<4, 0x0F>(v.p1, v.p5);
    exchange<4, 0x0F>(v.p2, v.p6);
    exchange<4, 0x0F>(v.p3, v.p7);
    exchange<2, 0x33>(v.p0, v.p2);
    exchange<2, 0x33>(v.p1, v.p3);
    exchange<2, 0x33>(v.p4, v.p6);
    exchange<2, 0x33>(v.p5, v.p7);
    exchange<1, 0x55>(v.p0, v.p1);
    exchange<1, 0x55>(v.p2, v.p3);
    exchange<1, 0x55>(v.p4, v.p5);
    exchange<1, 0x55>(v.p6, v.p7);
  }

  /// Where the outputs of a vector's lowest bits go that lies `at` bytes from the row's begin, and how far
  /// from there are those of its upper half.
  static constexpr size_t first_output(size_t at) { return at / kGroupBytes * kSignGroup + at % kGroupBytes; }
  static constexpr size_t kUpperBytes = kBytes > kGroupBytes ? kSignGroup : kBytes / 2;

  KINGLET_INLINE void add_to(int16_t* counts, Shorts more, Halves weight) {
    Halves sums;
    std::memcpy(&sums, counts, sizeof sums);
    sums += reinterpret_cast<Halves>(more) * weight;
    std::memcpy(counts, &sums, sizeof sums);
  }

  KINGLET_INLINE void add_bytes(int16_t* counts, Words sums, Halves weight) {
    const auto bytes = reinterpret_cast<Bytes>(sums);
    add_to(counts, Set::widen_lower(bytes), weight);
    add_to(counts + kUpperBytes, Set::widen_upper(bytes), weight);
  }

  /// Rows lie here and there, and are read a little at a time: the lines behind are asked for, and those far
  /// behind, as for 8-bit rows.
  KINGLET_INLINE void fetch(const Units& units, size_t u, size_t at) {
    constexpr size_t kLine = 64;
    if (at % kLine != 0) return;
    __builtin_prefetch(units.rows[u] + at + 2 * kLine);
    if (fetch_far) __builtin_prefetch(units.far[u] + at, 0, 2);
  }

  /// A vector of bytes, `at` bytes into the rows; sums have kUsed bits.
  template <size_t kUsed>
  KINGLET_INLINE void count_block(const Units& units, size_t at, Halves weight, int16_t* counts) {
    Planes sums;
    size_t u = 0;
    for (; u + kTogether <= units.count; u += kTogether) {
      Words row[kTogether];
      for (size_t k = 0; k < kTogether; ++k) {
        row[k] = load(units.rows[u + k] + at);
        fetch(units, u + k, at);
      }
      add_together<kUsed>(sums, row);
    }
    if (u < units.count) {
      Words row[kTogether];
      for (size_t k = 0; k < kTogether; ++k) {
        row[k] = Words{};
        if (u + k >= units.count) continue;
        row[k] = load(units.rows[u + k] + at);
        fetch(units, u + k, at);
      }
      add_together<kUsed>(sums, row);
    }
    transpose(sums);
    int16_t* const first = counts + first_output(at);
    add_bytes(first, sums.p0, weight);
    add_bytes(first + kGroupBytes, sums.p1, weight);
    add_bytes(first + 2 * kGroupBytes, sums.p2, weight);
    add_bytes(first + 3 * kGroupBytes, sums.p3, weight);
    add_bytes(first + 4 * kGroupBytes, sums.p4, weight);
    add_bytes(first + 5 * kGroupBytes, sums.p5, weight);
    add_bytes(first + 6 * kGroupBytes, sums.p6, weight);
    add_bytes(first + 7 * kGroupBytes, sums.p7, weight);
  }

  template <size_t kUsed>
  KINGLET_INLINE void count_blocks(const Units& units, size_t bytes, Halves weight, int16_t* counts) {
    for (size_t at = 0; at < bytes; at += kBytes) count_block<kUsed>(units, at, weight, counts);
  }

  KINGLET_INLINE void count_units(const Units& units, size_t bytes, int32_t weight, int16_t* counts) {
    const Halves weights = Halves{} + static_cast<uint16_t>(weight);
    if (units.count < 16) return count_blocks<4>(units, bytes, weights, counts);
    if (units.count < 32) return count_blocks<5>(units, bytes, weights, counts);
    count_blocks<7>(units, bytes, weights, counts);
  }

  /// `width` is a multiple of the outputs of one vector of bytes. Rows that count up to 7 times are so many
  /// rows; what is left of a count are rows that weigh eight times as much.
  static void count_signs(const uint8_t* rows, size_t stride, size_t width, const CountTerm* terms,
                          size_t count, size_t ahead, int32_t weight, int16_t* counts) {
    constexpr int32_t kDigit = 3;  // bits
    Units units;
    bool left = true;
    for (int32_t shift = 0; left; shift += kDigit) {
      left = false;
      units.count = 0;
      for (size_t t = 0; t < count; ++t) {
        const int32_t rest = terms[t].count >> shift;
        left |= rest >> kDigit != 0;
        for (int32_t n = rest & ((1 << kDigit) - 1); n > 0; --n) {
          const size_t u = units.count++;
          units.rows[u] = rows + terms[t].row * stride;
          if (fetch_far)
            units.far[u] = S8::far_from(units.rows[u], rows, stride, u < ahead ? &terms[count + u] : nullptr);
          if (units.count < kUnits) continue;
          count_units(units, width / 8, weight << shift, counts);
          units.count = 0;
        }
      }
      if (units.count != 0) count_units(units, width / 8, weight << shift, counts);
    }
  }

  static void add_signs(const int16_t* counts, size_t width, int32_t total, float scale,
                        const float* output_scale, float* sum) {
    const Batch less(static_cast<float>(-total));
    for (size_t o = 0; o < width; o += Batch::size) {
      const Batch factor = Batch(scale) * Batch::load_aligned(output_scale + o);
      const Batch signs = Set::fused(Batch(2.0F), Set::widen(counts + o), less);  // exact
      Set::fused(factor, signs, Batch::load_aligned(sum + o)).store_aligned(sum + o);
    }
  }
};

}  // namespace kinglet::kernels::simd
