#pragma once

#include <cstring>
#include <type_traits>

#include "fetch.h"
#include "simd/kernels_f32.h"

/// The kernels of 8-bit rows and weights, for any instruction set. Sums of integers are exact, so each set
/// adds in the order that suits it; only the last step, in floats, is the same everywhere. Beside what
/// kernels_f32.h asks of a `Set`:
///   - Bytes, load_bytes: a vector of 8-bit integers, from any address.
///   - Shorts: a vector of 16-bit integers, half as many lanes as Bytes; zero_shorts, load_shorts,
///   store_shorts; any_shorts: loaded from any address.
///   - PairWeight, pair_weight(counts): counts of two rows, each at most 127.
///   - add_pair(first, second, a, b, weight): adds a * weight.a + b * weight.b to two vectors of 16-bit sums.
///     Which output has which lane is the set's own affair, until `in_order` puts them in order.
///   - Ints: a vector of 32-bit integers; zero_ints, load_ints, store_ints; to_float: loaded and made floats.
///   - WideWeight, wide_weight(a, b), add_wide_pair: the same as for pairs, of 16-bit rows and 32-bit sums.
///   - widen_shorts(bytes): 8-bit integers, loaded and made 16-bit: a whole number of quads of weights.
///   - quad(q): the four quantised inputs at q, repeated over a vector of Shorts.
///   - add_products(sums, w, q): adds products of lanes to sums, two neighbours to each.
///   - round_to_shorts(values, out): floats to the nearest 16-bit integers, stored.
namespace kinglet::kernels::simd {

template <typename Set>
struct KernelsS8 {
  using F32 = KernelsF32<Set>;
  using Batch = typename Set::Batch;
  using Shorts = typename Set::Shorts;
  using Ints = typename Set::Ints;
  using Halves __attribute__((vector_size(sizeof(Shorts)))) = uint16_t;  // the same, with operators
  static constexpr size_t kShorts = sizeof(Shorts) / 2;
  static constexpr size_t kInts = sizeof(Ints) / 4;

  /// 16-bit sums hold this many counts of rows within +-127.
  static constexpr uint32_t kShortCounts = 0x7FFF / 127;
  static constexpr int32_t kPairCount = 127;

  // Rows ---------------------------------------------------------------------------------------------------

  /// Asks for the cache lines of the rows that come next, as far on in them as the sum is: rows are short,
  /// and here and there, so that the CPU's own fetching ahead finds little to go by.
  template <size_t kRows>
  KINGLET_INLINE void fetch(const int8_t* const* next, size_t o) {
    constexpr size_t kLine = 64;
    if (o % kLine != 0) return;
    for (size_t r = 0; r < kRows; ++r) __builtin_prefetch(next[r] + o);
  }

  /// The rows behind a group's, as far as there are terms, else those of the group.
  template <size_t kRows>
  KINGLET_INLINE void next_rows(const int8_t* rows, size_t stride, const CountTerm* terms, size_t left,
                                const int8_t** next) {
    for (size_t r = 0; r < kRows; ++r) {
      const CountTerm& term = kRows + r < left ? terms[kRows + r] : terms[r];
      next[r] = rows + term.row * stride;
    }
  }

  KINGLET_INLINE void add_to(const int16_t* sums, size_t outputs, float scale, const float* output_scale,
                             float* sum) {
    for (size_t o = 0; o < outputs; o += Batch::size) {
      const Batch factor = Batch(scale) * Batch::load_aligned(output_scale + o);
      Set::fused(factor, Set::widen(sums + o), Batch::load_aligned(sum + o)).store_aligned(sum + o);
    }
  }

  /// What sums of the counts need.
  enum class Width : uint8_t { shorts, wide, any };
  KINGLET_INLINE Width width_of(const CountTerm* terms, size_t count) {
    uint32_t total = 0;
    int32_t largest = 0;
    int32_t smallest = 0;
    for (size_t t = 0; t < count; ++t) {
      largest = terms[t].count > largest ? terms[t].count : largest;
      smallest = terms[t].count < smallest ? terms[t].count : smallest;
      total += static_cast<uint32_t>(terms[t].count);
    }
    if (smallest == 0 && largest <= kPairCount && total <= kShortCounts) return Width::shorts;
    return largest <= kWideCount && smallest >= -kWideCount ? Width::wide : Width::any;
  }

  /// The rows of a call whose sums fit 16 bits, two by two (the last one's partner may count nothing).
  struct Pairs {
    static constexpr size_t kLimit = kShortCounts + 1;
    struct Row {
      const int8_t* at;
      const int8_t* far;  // what to ask for meanwhile
    };
    Row rows[kLimit];
    uint8_t counts[kLimit];
    size_t count = 0;  // of rows; even
  };

  /// What to ask for where `row` is read: the same place in the row of `next`, a term of the next call, or,
  /// if there is none, some lines on. Only with fetch_far.
  template <typename Byte>
  KINGLET_INLINE const Byte* far_from(const Byte* row, const Byte* rows, size_t row_bytes,
                                      const CountTerm* next) {
    constexpr size_t kFar = 1024;
    return next != nullptr ? rows + next->row * row_bytes : row + kFar;
  }

  KINGLET_INLINE void find_pairs(const int8_t* rows, size_t stride, const CountTerm* terms, size_t count,
                                 size_t ahead, Pairs& pairs) {
    for (size_t t = 0; t < count; ++t) {
      if (terms[t].count == 0) continue;
      pairs.rows[pairs.count].at = rows + terms[t].row * stride;
      pairs.counts[pairs.count++] = static_cast<uint8_t>(terms[t].count);
    }
    if (pairs.count % 2 != 0) {
      pairs.rows[pairs.count].at = pairs.rows[pairs.count - 1].at;
      pairs.counts[pairs.count++] = 0;
    }
    for (size_t r = 0; fetch_far && r < pairs.count; ++r)
      pairs.rows[r].far = far_from(pairs.rows[r].at, rows, stride, r < ahead ? &terms[count + r] : nullptr);
  }

  /// `kVectors` vectors of bytes, `at` bytes into the rows. Meanwhile the lines behind them are asked for:
  /// rows lie here and there, and are read a little at a time. So are those far behind, into the second-level
  /// cache: only so do they come in time from memory (300 rows out of 24 MB, Zen 4: 105 us without, 78 with).
  template <size_t kVectors>
  KINGLET_INLINE void add_short_block(const Pairs& pairs, size_t at, float scale, const float* output_scale,
                                      float* sum) {
    constexpr size_t kLine = 64;
    constexpr size_t kBytes = 2 * kShorts;
    constexpr size_t kBlock = kVectors * kBytes;
    Shorts first[kVectors];
    Shorts second[kVectors];
    for (size_t v = 0; v < kVectors; ++v) first[v] = second[v] = Set::zero_shorts();
    for (size_t r = 0; r < pairs.count; r += 2) {
      const auto& [a, far_a] = pairs.rows[r];
      const auto& [b, far_b] = pairs.rows[r + 1];
      for (size_t byte = at; byte < at + kBlock; byte += kLine) {
        __builtin_prefetch(a + byte + kBlock);
        __builtin_prefetch(b + byte + kBlock);
        if (!fetch_far) continue;
        __builtin_prefetch(far_a + byte, 0, 2);
        __builtin_prefetch(far_b + byte, 0, 2);
      }
      const auto weight = Set::pair_weight(pairs.counts + r);
      for (size_t v = 0; v < kVectors; ++v) {
        const size_t byte = at + v * kBytes;
        Set::add_pair(first[v], second[v], Set::load_bytes(a + byte), Set::load_bytes(b + byte), weight);
      }
    }
    for (size_t v = 0; v < kVectors; ++v) {
      alignas(kAlignment) int16_t sums[kBytes];
      Set::in_order(first[v], second[v]);
      Set::store_shorts(sums, first[v]);
      Set::store_shorts(sums + kShorts, second[v]);
      const size_t o = at + v * kBytes;
      add_to(sums, kBytes, scale, output_scale + o, sum + o);
    }
  }

  /// Not inlined: among the loops of other widths g++ 12 runs out of registers.
  [[gnu::noinline]] static void add_rows_short(const int8_t* rows, size_t stride, size_t width,
                                               const CountTerm* terms, size_t count, size_t ahead,
                                               float scale, const float* output_scale, float* sum) {
    constexpr size_t kBytes = 2 * kShorts;
    constexpr size_t kVectors = kBytes < 64 ? 4 : 2;
    Pairs pairs;
    find_pairs(rows, stride, terms, count, ahead, pairs);
    size_t at = 0;
    for (; at + kVectors * kBytes <= width; at += kVectors * kBytes)
      add_short_block<kVectors>(pairs, at, scale, output_scale, sum);
    for (; at < width; at += kBytes) add_short_block<1>(pairs, at, scale, output_scale, sum);
  }

  /// Outputs summed up at a time: rows are read as they lie, into sums that stay in the first-level cache.
  static constexpr size_t kWideBlock = 4096;

  /// 32-bit sums take counts that fit 16 bits, two rows at a time.
  static constexpr int32_t kWideCount = 0x7FFF;

  template <size_t kPairs>
  KINGLET_INLINE size_t add_wide_groups(const int8_t* rows, size_t stride, size_t outputs,
                                        const CountTerm* terms, size_t t, size_t count, size_t ahead,
                                        int32_t* sums) {
    for (; t + 2 * kPairs <= count; t += 2 * kPairs) {
      const int8_t* row[2 * kPairs];
      const int8_t* next[2 * kPairs];
      next_rows<2 * kPairs>(rows, stride, terms + t, count + ahead - t, next);
      typename Set::WideWeight weight[kPairs];
      for (size_t r = 0; r < 2 * kPairs; ++r) row[r] = rows + terms[t + r].row * stride;
      for (size_t p = 0; p < kPairs; ++p) {
        weight[p] = Set::wide_weight(terms[t + 2 * p].count, terms[t + 2 * p + 1].count);
      }
      for (size_t o = 0; o < outputs; o += 2 * kInts) {
        fetch<2 * kPairs>(next, o);
        Ints first = Set::load_ints(sums + o);
        Ints second = Set::load_ints(sums + o + kInts);
        for (size_t p = 0; p < kPairs; ++p) {
          Set::add_wide_pair(first, second, Set::widen_shorts(row[2 * p] + o),
                             Set::widen_shorts(row[2 * p + 1] + o), weight[p]);
        }
        Set::store_ints(sums + o, first);
        Set::store_ints(sums + o + kInts, second);
      }
    }
    return t;
  }

  KINGLET_INLINE void add_rows_wide(const int8_t* rows, size_t stride, size_t width, const CountTerm* terms,
                                    size_t count, size_t ahead, float scale, const float* output_scale,
                                    float* sum) {
    alignas(kAlignment) int32_t sums[kWideBlock];
    for (size_t begin = 0; begin < width; begin += kWideBlock) {
      const size_t outputs = width - begin < kWideBlock ? width - begin : kWideBlock;
      for (size_t o = 0; o < outputs; o += kInts) Set::store_ints(sums + o, Set::zero_ints());
      size_t t = add_wide_groups<4>(rows + begin, stride, outputs, terms, 0, count, ahead, sums);
      t = add_wide_groups<1>(rows + begin, stride, outputs, terms, t, count, ahead, sums);
      if (t < count) {
        const CountTerm last[2] = {terms[t], {terms[t].row, 0}};
        add_wide_groups<1>(rows + begin, stride, outputs, last, 0, 2, 0, sums);
      }
      for (size_t o = 0; o < outputs; o += 2 * kInts) {
        Ints first = Set::load_ints(sums + o);
        Ints second = Set::load_ints(sums + o + kInts);
        Set::in_order(first, second);
        Set::store_ints(sums + o, first);
        Set::store_ints(sums + o + kInts, second);
      }
      add_ints_to(sums, outputs, scale, output_scale + begin, sum + begin);
    }
  }

  KINGLET_INLINE void add_ints_to(const int32_t* sums, size_t outputs, float scale, const float* output_scale,
                                  float* sum) {
    for (size_t o = 0; o < outputs; o += Batch::size) {
      const Batch factor = Batch(scale) * Batch::load_aligned(output_scale + o);
      Set::fused(factor, Set::to_float(sums + o), Batch::load_aligned(sum + o)).store_aligned(sum + o);
    }
  }

  /// Any counts: left to the compiler, as one token thousands of times in a tweet is rare.
  KINGLET_INLINE void add_rows_long(const int8_t* rows, size_t stride, size_t width, const CountTerm* terms,
                                    size_t count, float scale, const float* output_scale, float* sum) {
    constexpr size_t kPart = 512;
    alignas(kAlignment) int32_t sums[kPart];
    for (size_t begin = 0; begin < width; begin += kPart) {
      const size_t outputs = width - begin < kPart ? width - begin : kPart;
      for (size_t o = 0; o < outputs; ++o) sums[o] = 0;
      for (size_t t = 0; t < count; ++t) {
        const int8_t* row = rows + terms[t].row * stride + begin;
        const int32_t weight = terms[t].count;
        for (size_t o = 0; o < outputs; ++o) sums[o] += weight * row[o];
      }
      add_ints_to(sums, outputs, scale, output_scale + begin, sum + begin);
    }
  }

  static void add_rows(const int8_t* rows, size_t stride, size_t width, const CountTerm* terms, size_t count,
                       size_t ahead, float scale, const float* output_scale, float* sum) {
    switch (width_of(terms, count)) {
      case Width::shorts:
        return add_rows_short(rows, stride, width, terms, count, ahead, scale, output_scale, sum);
      case Width::wide:
        return add_rows_wide(rows, stride, width, terms, count, ahead, scale, output_scale, sum);
      case Width::any:
        return add_rows_long(rows, stride, width, terms, count, scale, output_scale, sum);
    }
  }

  // 16-bit rows --------------------------------------------------------------------------------------------

  /// Rows that count once: floats add them up exactly, and so do integers, faster.
  struct Once {
    static constexpr size_t kLimit = 256;
    static_assert(kLimit * 0x8000 <= size_t{1} << 24);
    const int16_t* rows[kLimit];
    size_t count;
  };

  /// False where a row counts otherwise, or they are too many.
  KINGLET_INLINE bool find_once(const int16_t* rows, size_t stride, const RowTerm* terms, size_t count,
                                Once& once) {
    if (count > Once::kLimit) return false;
    once.count = count;
    for (size_t t = 0; t < count; ++t) {
      if (terms[t].weight != 1.0F) return false;
      once.rows[t] = rows + terms[t].row * stride;
    }
    return true;
  }

  /// As many outputs as two vectors of bytes would have; what lies behind them is asked for meanwhile.
  KINGLET_INLINE void add_once(const Once& once, size_t at, float scale, const float* output_scale,
                               float* sum) {
    constexpr size_t kLine = 64;
    constexpr size_t kVectors = 2;
    Ints first[kVectors];
    Ints second[kVectors];
    for (size_t v = 0; v < kVectors; ++v) first[v] = second[v] = Set::zero_ints();
    for (size_t r = 0; r < once.count; r += 2) {
      const int16_t* a = once.rows[r] + at;
      const bool pair = r + 1 < once.count;
      const int16_t* b = pair ? once.rows[r + 1] + at : a;
      for (size_t byte = 0; byte < kVectors * sizeof(Shorts); byte += kLine) {
        __builtin_prefetch(a + kVectors * kShorts + byte / 2);
        __builtin_prefetch(b + kVectors * kShorts + byte / 2);
      }
      const auto weight = Set::wide_weight(1, pair ? 1 : 0);
      for (size_t v = 0; v < kVectors; ++v) {
        Set::add_wide_pair(first[v], second[v], Set::any_shorts(a + v * kShorts),
                           Set::any_shorts(b + v * kShorts), weight);
      }
    }
    for (size_t v = 0; v < kVectors; ++v) {
      alignas(kAlignment) int32_t sums[kShorts];
      Set::in_order(first[v], second[v]);
      Set::store_ints(sums, first[v]);
      Set::store_ints(sums + kInts, second[v]);
      add_ints_to(sums, kShorts, scale, output_scale + at + v * kShorts, sum + at + v * kShorts);
    }
  }

  static void add_rows_s16(const int16_t* rows, size_t stride, size_t width, const RowTerm* terms,
                           size_t count, float scale, const float* output_scale, float* sum) {
    constexpr size_t kBlock = 2 * kShorts;
    Once once;
    size_t at = 0;
    if (find_once(rows, stride, terms, count, once)) {
      for (; at + kBlock <= width; at += kBlock) add_once(once, at, scale, output_scale, sum);
    }
    if (at < width)
      F32::add_rows_s16(rows + at, stride, width - at, terms, count, scale, output_scale + at, sum + at);
  }

  // Parts of a panel ---------------------------------------------------------------------------------------

  /// As many outputs at a time as keep their sums in registers.
  static constexpr size_t kOutputsASum = kShorts / kQuad;  // outputs in one vector of products
  static constexpr size_t kPartSums = kWidePanel / kOutputsASum < 8 ? kWidePanel / kOutputsASum : 8;
  static constexpr size_t kPartOutputs = kPartSums * kOutputsASum;

  /// Two neighbouring lanes hold one output's pairs of inputs.
  template <size_t kSums>
  KINGLET_INLINE void store_pair_sums(const Ints* s, int32_t* sums) {
    for (size_t v = 0; v < kSums; ++v) {
      alignas(kAlignment) int32_t lanes[kInts];
      Set::store_ints(lanes, s[v]);
      for (size_t o = 0; o < kOutputsASum; ++o) sums[v * kOutputsASum + o] = lanes[2 * o] + lanes[2 * o + 1];
    }
  }

  // Bundles ------------------------------------------------------------------------------------------------

  /// Elements of a bundle, made 16-bit; of 4 bits 8 more than they are. They are those of vector `v` from
  /// `at` on, which is a multiple of kNibbleGroup.
  KINGLET_INLINE Shorts bundle_elements(const int8_t* bundle, size_t at, size_t v) {
    return Set::widen_shorts(bundle + at + v * kShorts);
  }
  KINGLET_INLINE Shorts bundle_elements(const uint8_t* bundle, size_t at, size_t v) {
    constexpr size_t kHalf = kNibbleGroup / 2;
    const size_t group = v * kShorts / kNibbleGroup;
    const size_t element = v * kShorts % kNibbleGroup;
    const uint8_t* bytes = bundle + at / 2 + group * kHalf + element % kHalf;
    const Halves pairs = reinterpret_cast<Halves>(Set::widen_shorts(reinterpret_cast<const int8_t*>(bytes)));
    const Halves elements = (element < kHalf ? pairs : pairs >> 4) & 15;
    return reinterpret_cast<Shorts>(elements);
  }

  /// A part of one panel, from element `at` of each bundle on: as many outputs as give `kSums` vectors of
  /// sums. Bundles are read side by side, each as a stream, whose next panel is asked for meanwhile.
  template <size_t kSums, typename Byte>
  KINGLET_INLINE void bundle_part(const Byte* bundles, size_t stride, size_t at, size_t rows,
                                  const uint32_t* active, const int16_t* counts, size_t count,
                                  int32_t* sums) {
    static_assert(kPartOutputs * kQuad % kNibbleGroup == 0);
    Ints s[kSums];
    for (size_t v = 0; v < kSums; ++v) s[v] = Set::zero_ints();
    for (size_t a = 0; a < count; ++a) {
      const Byte* bundle = bundles + active[a] * stride;
      for (size_t k = 0; k < rows; k += kQuad) {
        const Shorts q = Set::quad(counts + a * rows + k);
        for (size_t v = 0; v < kSums; ++v) {
          s[v] = Set::add_products(s[v], bundle_elements(bundle, at + k * kWidePanel, v), q);
        }
      }
    }
    store_pair_sums<kSums>(s, sums);
  }

  template <typename Byte>
  KINGLET_INLINE void add_any_bundles(const Byte* bundles, size_t stride, size_t rows, size_t width,
                                      const uint32_t* active, const int16_t* counts, size_t count,
                                      float scale, const float* output_scale, float* sum) {
    int32_t added = 0;
    if constexpr (std::is_same_v<Byte, uint8_t>) {
      for (size_t r = 0; r < count * rows; ++r) added += kNibbleOffset * counts[r];
    }
    for (size_t begin = 0; begin < width; begin += kWidePanel) {
      alignas(kAlignment) int32_t sums[kWidePanel];
      for (size_t part = 0; part < kWidePanel; part += kPartOutputs) {
        bundle_part<kPartSums>(bundles, stride, begin * rows + part * kQuad, rows, active, counts, count,
                               sums + part);
      }
      if constexpr (std::is_same_v<Byte, uint8_t>) {
        for (int32_t& s : sums) s -= added;
      }
      add_ints_to(sums, kWidePanel, scale, output_scale + begin, sum + begin);
    }
  }

  static void add_bundles(const int8_t* bundles, size_t stride, size_t rows, size_t width,
                          const uint32_t* active, const int16_t* counts, size_t count, float scale,
                          const float* output_scale, float* sum) {
    add_any_bundles(bundles, stride, rows, width, active, counts, count, scale, output_scale, sum);
  }
  static void add_bundles_s4(const uint8_t* bundles, size_t stride, size_t rows, size_t width,
                             const uint32_t* active, const int16_t* counts, size_t count, float scale,
                             const float* output_scale, float* sum) {
    add_any_bundles(bundles, stride, rows, width, active, counts, count, scale, output_scale, sum);
  }

  // Dense layers -------------------------------------------------------------------------------------------

  KINGLET_INLINE float largest_magnitude(const float* in, size_t width) {
    constexpr size_t kChains = 4;  // a maximum waits for the one before it
    Batch chains[kChains] = {Batch(0.0F), Batch(0.0F), Batch(0.0F), Batch(0.0F)};
    size_t i = 0;
    for (; i + kChains * Batch::size <= width; i += kChains * Batch::size) {
      for (size_t c = 0; c < kChains; ++c)
        chains[c] = xsimd::max(chains[c], xsimd::abs(Batch::load_aligned(in + i + c * Batch::size)));
    }
    for (; i < width; i += Batch::size)
      chains[0] = xsimd::max(chains[0], xsimd::abs(Batch::load_aligned(in + i)));
    const Batch largest = xsimd::max(xsimd::max(chains[0], chains[1]), xsimd::max(chains[2], chains[3]));
    alignas(kAlignment) float lanes[Batch::size];
    largest.store_aligned(lanes);
    float result = 0;
    for (const float lane : lanes) result = lane > result ? lane : result;
    return result;
  }

  /// L of quantize's contract; `largest` is not too small. First the power of two, then two digits more.
  KINGLET_INLINE float fitting_limit(const float* in, size_t width, float largest, float limit,
                                     size_t wide_share) {
    if (wide_share == 0) return limit;
    const size_t most_inputs = width / wide_share;
    const auto most = static_cast<float>(most_inputs);
    const float powers[] = {2, 4, 8, 16, 32, 64};
    const float power = fitting_parts(in, width, largest, most, powers, 1);
    const float between[] = {power * 1.25F, power * 1.5F, power * 1.75F};
    const float parts = power < 64 ? fitting_parts(in, width, largest, most, between, power) : power;
    return 127 * parts < limit ? 127 * parts : limit;
  }

  /// The last of some ascending numbers of parts that leaves no more than `most` inputs beyond the first;
  /// else `least`.
  template <size_t kCount>
  KINGLET_INLINE float fitting_parts(const float* in, size_t width, float largest, float most,
                                     const float (&parts)[kCount], float least) {
    Batch bounds[kCount];
    Batch wide[kCount];  // how many are beyond: whole numbers
    for (size_t k = 0; k < kCount; ++k) {
      bounds[k] = Batch(largest / parts[k]);
      wide[k] = Batch(0.0F);
    }
    for (size_t i = 0; i < width; i += Batch::size) {
      const Batch magnitudes = xsimd::abs(Batch::load_aligned(in + i));
      for (size_t k = 0; k < kCount; ++k)
        wide[k] += xsimd::select(magnitudes > bounds[k], Batch(1.0F), Batch(0.0F));
    }
    float result = least;
    for (size_t k = 0; k < kCount; ++k) {
      if (xsimd::hadd(wide[k]) <= most) result = parts[k];
    }
    return result;
  }

  /// Calls store(i, quantised lanes as floats) for each vector of inputs.
  template <typename Store>
  KINGLET_INLINE float quantize_with(const float* in, size_t width, float limit, size_t wide_share,
                                     const Store& store) {
    const float largest = largest_magnitude(in, width);
    const bool none = largest < kSmallestActivation;
    const float units = none ? 0.0F : fitting_limit(in, width, largest, limit, wide_share);
    const Batch factor(none ? 0.0F : units / largest);
    for (size_t i = 0; i < width; i += Batch::size) store(i, Batch::load_aligned(in + i) * factor);
    return none ? 0.0F : largest / units;
  }

  static float quantize(const float* in, size_t width, float limit, size_t wide_share, void* quantised) {
    auto* out = static_cast<int16_t*>(quantised);
    return quantize_with(in, width, limit, wide_share,
                         [out](size_t i, Batch values) { Set::round_to_shorts(values, out + i); });
  }

  /// The float part of a dense layer: `sums` of the kWidePanel outputs from `begin` on.
  KINGLET_INLINE void finish_panel(const int32_t* sums, size_t begin, const float* output_scale,
                                   const float* bias, const DenseLane& lane) {
    for (size_t o = 0; o < kWidePanel; o += Batch::size) {
      const Batch factor = Batch(lane.scale) * Batch::load_aligned(output_scale + begin + o);
      const Batch z = Set::fused(factor, Set::to_float(sums + o), Batch::load_aligned(bias + begin + o));
      F32::finish(z, lane.epilogue, begin + o).store_aligned(lane.out + begin + o);
    }
  }

  /// Lanes that share a vector of weights made 16-bit, and how many sums each has then: 16 registers' worth
  /// of them where there are 32.
  static constexpr size_t kSharingLanes = 4;
  static constexpr size_t kSharedSums = sizeof(Shorts) < 64 ? 2 : 4;

  /// A part of one panel for `kLanes` lanes.
  template <size_t kLanes, size_t kSums>
  KINGLET_INLINE void panel_part(const int8_t* panel, size_t inputs, const DenseLane* lanes, size_t part,
                                 int32_t (*sums)[kWidePanel]) {
    Ints s[kLanes][kSums];
    for (size_t lane = 0; lane < kLanes; ++lane) {
      for (size_t v = 0; v < kSums; ++v) s[lane][v] = Set::zero_ints();
    }
    for (size_t i = 0; i < inputs; i += kQuad) {
      const int8_t* weights = panel + i * kWidePanel + part * kQuad;
      Shorts w[kSums];
      for (size_t v = 0; v < kSums; ++v) w[v] = Set::widen_shorts(weights + v * kShorts);
      for (size_t lane = 0; lane < kLanes; ++lane) {
        const Shorts q = Set::quad(static_cast<const int16_t*>(lanes[lane].in) + i);
        for (size_t v = 0; v < kSums; ++v) s[lane][v] = Set::add_products(s[lane][v], w[v], q);
      }
    }
    for (size_t lane = 0; lane < kLanes; ++lane) store_pair_sums<kSums>(s[lane], sums[lane] + part);
  }

  template <size_t kLanes, size_t kSums>
  KINGLET_INLINE void gemv_panel(const int8_t* panel, size_t inputs, size_t begin, const float* output_scale,
                                 const float* bias, const DenseLane* lanes) {
    alignas(kAlignment) int32_t sums[kLanes][kWidePanel];
    for (size_t part = 0; part < kWidePanel; part += kSums * kOutputsASum)
      panel_part<kLanes, kSums>(panel, inputs, lanes, part, sums);
    for (size_t lane = 0; lane < kLanes; ++lane)
      finish_panel(sums[lane], begin, output_scale, bias, lanes[lane]);
  }

  static void gemv(const int8_t* panels, size_t inputs, size_t outputs, const float* output_scale,
                   const int32_t* /*weight_sums*/, const float* bias, const DenseLane* lanes, size_t count) {
    for (size_t begin = 0; begin < outputs; begin += kWidePanel) {
      const int8_t* panel = panels + begin * inputs;
      size_t lane = 0;
      for (; lane + kSharingLanes <= count; lane += kSharingLanes)
        gemv_panel<kSharingLanes, kSharedSums>(panel, inputs, begin, output_scale, bias, lanes + lane);
      for (; lane < count; ++lane)
        gemv_panel<1, kPartSums>(panel, inputs, begin, output_scale, bias, lanes + lane);
    }
  }
};

}  // namespace kinglet::kernels::simd
