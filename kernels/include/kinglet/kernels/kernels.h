#pragma once

#include <cstddef>
#include <cstdint>

#include "kinglet/kernels/isa.h"

/// What runs on vectors of numbers. No files, no allocation, no global state, no libm.
///
/// Contract of every kernel here, on every instruction set (docs/numerics.md):
///   - the same inputs give the same bits. Each output is computed by itself, in the order written below; an
///     instruction set may only work on several outputs at once. `fma(a, b, c)` rounds once.
///   - inputs are finite; magnitudes are such that no sum overflows (no model that the converter wrote
///     from a trained network comes near it; a forged one gets logits that mean nothing).
///   - pointers to float arrays are 64-byte aligned, widths are multiples of kLane: tensors and scratch are
///   padded
///     with zeros by the converter and the session, so that no kernel needs a tail.
///   - thread-safe: a kernel touches nothing but its arguments.
namespace kinglet::kernels {

inline constexpr size_t kAlignment = 64;  // bytes; of every tensor, row and scratch vector
inline constexpr size_t kLane = 16;       // floats; every padded width is a multiple of it
inline constexpr size_t kByteLane = 64;   // the same for rows of 8-bit and of 4-bit integers
inline constexpr size_t kWidePanel = 32;  // outputs side by side in a hidden layer's panel
inline constexpr size_t kSlimPanel = 16;  // the same for the output layer
inline constexpr size_t kQuad = 4;        // inputs side by side in a panel of 8-bit weights

/// Inputs that a dense layer's sum takes at a time: partial sums of this many are added up, so that rounding
/// errors grow with its square root and the number of parts, not with the number of inputs (about 4 times
/// less at 1,500).
inline constexpr size_t kSumBlock = 64;

/// Floats of 16 bits as they lie in memory, types of their own so that no kernel takes one for another. Every
/// one of them is a float too, denormals included: widening is exact.
struct Bf16 {
  uint16_t bits;  // bfloat16: the upper half of a float
};
struct F16 {
  uint16_t bits;  // IEEE 754 binary16
};

/// One active row of a table and its weight in the sum.
struct RowTerm {
  uint32_t row;
  float weight;
};

/// Counts of 8-bit rows whose magnitudes sum up to this leave no 32-bit sum.
inline constexpr size_t kMaximumCounts = size_t{1} << 24;

/// Rows of 4-bit integers in [-8, 7], two a byte, in groups of 64 outputs: byte j of a group's 32 holds
/// output j in its lower half and output 32 + j in its upper half, each with 8 added.
inline constexpr size_t kNibbleGroup = 64;
inline constexpr int32_t kNibbleOffset = 8;

/// Rows of signs, -1 (a bit that is not set) or 1, eight a byte, in groups of 256 outputs: bit b of byte j of
/// a group's 32 is output 32 b + j's.
inline constexpr size_t kSignGroup = 256;

/// What sums of signs' counts stay within: so many fit a 16-bit integer.
inline constexpr int32_t kMaximumSigns = 0x7FFF;

/// One active row of a table of 8-bit or 4-bit rows and how often it counts, which may be negative.
struct CountTerm {
  uint32_t row;
  int32_t count;
};

/// A bundle's rows count up to this in magnitude, so that a count's two bytes are signed ones; and so many
/// rows of bundles go into a call.
inline constexpr int32_t kMaximumBundleCount = 0x7F00;
inline constexpr size_t kMaximumBundleRows = 4096;

/// The largest magnitude of quantised activations for a dense layer of 8-bit weights: what keeps every sum of
/// `inputs` products within 32 bits, at most 8191.
constexpr float activation_limit(size_t inputs) noexcept {
  const size_t limit = 0x7FFF'FFFF / (128 * (inputs == 0 ? 1 : inputs)) - 1;
  return limit < 8191 ? static_cast<float>(limit) : 8191.0F;
}

/// Where no activation is as large as this, `quantize` takes all as zeros: its factor would overflow.
inline constexpr float kSmallestActivation = 0x1p-100F;

/// Room for the quantised activations of so many inputs, in any table's format.
constexpr size_t quantised_bytes(size_t width) noexcept {
  return (5 * width + 6 * kAlignment) / kAlignment * kAlignment;
}

/// A vector that joins a layer's sum before its activation. With `scale`: + fma(scale, value, shift).
struct Addend {
  const float* value;
  const float* scale;  // null: the value as it is, and shift is null too
  const float* shift;
};

/// What happens to an output's sum z, in this order: the addends one by one; leaky ReLU: z > 0 ? z : slope *
/// z; normalisation: fma(scale, z, shift).
struct Epilogue {
  const Addend* addends = nullptr;
  size_t addend_count = 0;
  bool leaky = false;
  float slope = 0;
  const float* scale = nullptr;  // null: no normalisation, and shift is null too
  const float* shift = nullptr;
};

/// One of the vectors that a dense layer takes at a time.
struct DenseLane {
  const void* in;  // floats; for gemv_s8 what quantize of the same table wrote
  float scale;     // for gemv_s8 what it returned
  Epilogue epilogue;
  float* out;
};

/// The kernels of one instruction set; chosen once per model.
struct KernelTable {
  Isa isa;

  /// Weighted sum of rows ("embedding bag"), for o in [0, width):
  ///   s = 0; for each term in order: s = fma(term.weight, rows[term.row * stride + o], s)
  ///   sum[o] = fma(scale, s, sum[o])
  void (*add_rows_f32)(const float* rows, size_t stride, size_t width, const RowTerm* terms, size_t count,
                       float scale, float* sum);

  /// The same for rows of 16-bit floats, each made a float first:
  ///   s = 0; for each term in order: s = fma(term.weight, float(rows[term.row * stride + o]), s)
  ///   sum[o] = fma(scale, s, sum[o])
  void (*add_rows_bf16)(const Bf16* rows, size_t stride, size_t width, const RowTerm* terms, size_t count,
                        float scale, float* sum);
  void (*add_rows_f16)(const F16* rows, size_t stride, size_t width, const RowTerm* terms, size_t count,
                       float scale, float* sum);

  /// The same for rows of 16-bit integers with one scale an output:
  ///   s = 0; for each term in order: s = fma(term.weight, rows[term.row * stride + o], s)
  ///   sum[o] = fma(scale * output_scale[o], s, sum[o])
  void (*add_rows_s16)(const int16_t* rows, size_t stride, size_t width, const RowTerm* terms, size_t count,
                       float scale, const float* output_scale, float* sum);

  /// The same for 8-bit rows in [-127, 127] that count whole times; width is a multiple of kByteLane, stride
  /// and the rows' address of half of it, and the counts' magnitudes sum up to kMaximumCounts at most, so
  /// that the integer sum is exact in any order:
  /// `ahead` terms follow behind terms[count - 1], whose rows the next call will add: the kernel may have
  /// them fetched while it adds the last ones.
  ///   s = sum of term.count * rows[term.row * stride + o]
  ///   sum[o] = fma(scale * output_scale[o], float(s), sum[o])
  void (*add_rows_s8)(const int8_t* rows, size_t stride, size_t width, const CountTerm* terms, size_t count,
                      size_t ahead, float scale, const float* output_scale, float* sum);

  /// The same for 4-bit rows (kNibbleGroup); a row is stride / 2 bytes from the next.
  void (*add_rows_s4)(const uint8_t* rows, size_t stride, size_t width, const CountTerm* terms, size_t count,
                      size_t ahead, float scale, const float* output_scale, float* sum);

  /// Counts rows of signs (kSignGroup), `stride` bytes from each other; width is a multiple of kSignGroup. No
  /// count is negative, and `weight`, not negative either, times all counts that have gone into `counts` is
  /// kMaximumSigns at most. `ahead` as above.
  ///   counts[o] += weight * (the sum of term.count where the row's bit for o is set)
  void (*count_signs)(const uint8_t* rows, size_t stride, size_t width, const CountTerm* terms, size_t count,
                      size_t ahead, int32_t weight, int16_t* counts);

  /// What counted signs add up to, for any width; `counts` is aligned as floats are, and `total` is the sum
  /// of weights times counts of all rows counted:
  ///   sum[o] = fma(scale * output_scale[o], float(2 * counts[o] - total), sum[o])
  void (*add_signs)(const int16_t* counts, size_t width, int32_t total, float scale,
                    const float* output_scale, float* sum);

  /// 8-bit rows in [-127, 127] as add_rows_s8 takes them, that are always added together, `rows` of them a
  /// bundle. Bundles are `stride` bytes from each other, each [width / kWidePanel][rows / kQuad][kWidePanel]
  /// [kQuad]; `rows` is a multiple of kQuad, `width` of kByteLane, addresses and `stride` of kAlignment.
  /// `active` names `count` bundles; counts[a * rows + k] is how often row k of the a-th of them counts, at
  /// most kMaximumBundleCount in magnitude, all together at most kMaximumCounts; count * rows is at most
  /// kMaximumBundleRows:
  ///   s = sum of counts[a * rows + k] * row(active[a], k)[o]
  ///   sum[o] = fma(scale * output_scale[o], float(s), sum[o])
  void (*add_bundles_s8)(const int8_t* bundles, size_t stride, size_t rows, size_t width,
                         const uint32_t* active, const int16_t* counts, size_t count, float scale,
                         const float* output_scale, float* sum);

  /// The same for 4-bit rows: a bundle's elements, in the same order, are stored in groups of kNibbleGroup.
  void (*add_bundles_s4)(const uint8_t* bundles, size_t stride, size_t rows, size_t width,
                         const uint32_t* active, const int16_t* counts, size_t count, float scale,
                         const float* output_scale, float* sum);

  /// Dense layer, for `count` vectors. `panels` is [outputs / panel][inputs][panel], panel being kWidePanel
  /// or kSlimPanel; `outputs` (padded) is a multiple of panel. For each lane and output o:
  ///   z = bias[o]; for each kSumBlock of inputs in order (the last may be shorter):
  ///     s = 0; for each i of it in order: s = fma(weight(o, i), in[i], s)
  ///     z = z + s
  ///   out[o] = epilogue(z)
  void (*gemv_f32)(const float* panels, size_t panel, size_t inputs, size_t outputs, const float* bias,
                   const DenseLane* lanes, size_t count);

  /// The same for weights of 16-bit floats, each made a float first; they alone are narrow:
  ///   s = fma(float(weight(o, i)), in[i], s)
  void (*gemv_bf16)(const Bf16* panels, size_t panel, size_t inputs, size_t outputs, const float* bias,
                    const DenseLane* lanes, size_t count);
  void (*gemv_f16)(const F16* panels, size_t panel, size_t inputs, size_t outputs, const float* bias,
                   const DenseLane* lanes, size_t count);

  /// Activations for gemv_s8: m = the largest |in[i]|; quantised[i] = in[i] * (L / m), rounded to the nearest
  /// integer, ties to even. L is `limit`, or, where one of `wide_share` inputs may need more than 8 bits, 127
  /// * p and `limit` at most, p being the largest number of three binary digits (1, 1.25, 1.5, 1.75, 2, 2.5,
  /// .. 56, 64) that leaves no more than width / wide_share inputs with |in[i]| > m / p. Returns m / L, what
  /// one unit stands for; 0, and all zeros, where m < kSmallestActivation. `width` is a multiple of kLane;
  /// `quantised`, of quantised_bytes(width) and 64-byte aligned, is in a format of this table's own. 1 <=
  /// limit <= activation_limit of the inputs that may be other than 0.
  float (*quantize)(const float* in, size_t width, float limit, size_t wide_share, void* quantised);

  /// Dense layer with 8-bit weights in [-127, 127], for `count` vectors of activations. `panels` is
  /// [outputs / kWidePanel][inputs / kQuad][kWidePanel][kQuad]; `inputs` (padded with zeros) is a multiple of
  /// kQuad, `outputs` of kWidePanel; weight_sums[o] is the sum of output o's weights. All lanes are quantised
  /// with 0 or all with some other wide_share. For each lane and
  /// output, with q the lane's quantised inputs:
  ///   s = sum of weight(o, i) * q[i], exact in 32 bits
  ///   out[o] = epilogue(fma(scale * output_scale[o], float(s), bias[o]))
  void (*gemv_s8)(const int8_t* panels, size_t inputs, size_t outputs, const float* output_scale,
                  const int32_t* weight_sums, const float* bias, const DenseLane* lanes, size_t count);

  /// The epilogue alone: out[o] = epilogue(in[o]). `in` and `out` may be the same.
  void (*activate_f32)(const float* in, size_t width, const Epilogue& epilogue, float* out);

  /// What units are off their usual side of 0: out[o] = max(scale[o] * in[o], 0), the product rounded once.
  /// Returns the largest.
  float (*find_flips)(const float* scale, const float* in, size_t width, float* out);

  /// The flips that are not 0, in order, and how many they are. `terms` has room for width + kLane.
  size_t (*list_flips)(const float* flips, size_t width, RowTerm* terms);

  /// The same as whole counts: flips[o] * factor, rounded to the nearest integer, ties to even, where that is
  /// not 0. It is below 2^15.
  size_t (*count_flips)(const float* flips, size_t width, float factor, CountTerm* terms);
};

/// The table of an instruction set; null if this build does not hold it. Says nothing about the CPU: see
/// supported().
const KernelTable* table_of(Isa isa) noexcept;

}  // namespace kinglet::kernels
