// AArch64: Advanced SIMD and its fused multiply-add belong to every CPU, so this file needs no flags.
#include <arm_neon.h>

#include "scalar/flips.h"
#include "simd/kernels_s1.h"
#include "simd/kernels_s4.h"
#include "tables.h"

namespace kinglet::kernels {
namespace {

struct Neon : simd::BitOperators {
  using Batch = xsimd::batch<float, xsimd::neon64>;
  static constexpr size_t kRows = 4;
  static constexpr size_t kPanels = 2;
  static constexpr size_t kLanes = 2;
  KINGLET_INLINE Batch fused(Batch a, Batch b, Batch c) { return vfmaq_f32(c, a, b); }
  KINGLET_INLINE Batch widen(const int16_t* from) { return vcvtq_f32_s32(vmovl_s16(vld1_s16(from))); }
  KINGLET_INLINE Batch widen(const Bf16* from) {
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(&from->bits)), 16));
  }
  KINGLET_INLINE void split(const Bf16* from, Batch& even, Batch& odd) {
    const uint32x4_t words = vreinterpretq_u32_u16(vld1q_u16(&from->bits));
    even = vreinterpretq_f32_u32(vshlq_n_u32(words, 16));
    odd = vreinterpretq_f32_u32(vandq_u32(words, vdupq_n_u32(0xFFFF'0000U)));
  }
  KINGLET_INLINE void interleave(Batch& first, Batch& second) {
    const float32x4_t even = first;
    first = vzip1q_f32(even, second);
    second = vzip2q_f32(even, second);
  }
  KINGLET_INLINE Batch widen(const F16* from) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&from->bits)));
  }

  using Shorts = int16x8_t;
  using Ints = int32x4_t;
  struct PairWeight {
    int8x8_t a;
    int8x8_t b;
  };
  KINGLET_INLINE Shorts zero_shorts() { return vdupq_n_s16(0); }
  KINGLET_INLINE Ints zero_ints() { return vdupq_n_s32(0); }
  KINGLET_INLINE int8x16_t load_bytes(const int8_t* from) { return vld1q_s8(from); }
  KINGLET_INLINE Shorts load_shorts(const int16_t* from) { return vld1q_s16(from); }
  KINGLET_INLINE Shorts any_shorts(const int16_t* from) { return vld1q_s16(from); }
  KINGLET_INLINE void store_shorts(int16_t* to, Shorts values) { vst1q_s16(to, values); }
  KINGLET_INLINE Ints load_ints(const int32_t* from) { return vld1q_s32(from); }
  KINGLET_INLINE Batch to_float(const int32_t* from) { return vcvtq_f32_s32(vld1q_s32(from)); }
  KINGLET_INLINE void store_ints(int32_t* to, Ints values) { vst1q_s32(to, values); }
  KINGLET_INLINE PairWeight pair_weight(const uint8_t* counts) {
    return {vdup_n_s8(static_cast<int8_t>(counts[0])), vdup_n_s8(static_cast<int8_t>(counts[1]))};
  }
  KINGLET_INLINE void add_pair(Shorts& first, Shorts& second, int8x16_t a, int8x16_t b, PairWeight weight) {
    first = vmlal_s8(vmlal_s8(first, vget_low_s8(a), weight.a), vget_low_s8(b), weight.b);
    second = vmlal_s8(vmlal_s8(second, vget_high_s8(a), weight.a), vget_high_s8(b), weight.b);
  }
  KINGLET_INLINE void in_order(Shorts& /*first*/, Shorts& /*second*/) {}
  KINGLET_INLINE void in_order(Ints& /*first*/, Ints& /*second*/) {}
  KINGLET_INLINE Shorts widen_shorts(const int8_t* from) { return vmovl_s8(vld1_s8(from)); }
  struct WideWeight {
    int16x4_t a;
    int16x4_t b;
  };
  KINGLET_INLINE WideWeight wide_weight(int32_t a, int32_t b) {
    return {vdup_n_s16(static_cast<int16_t>(a)), vdup_n_s16(static_cast<int16_t>(b))};
  }
  KINGLET_INLINE void add_wide_pair(Ints& first, Ints& second, Shorts a, Shorts b, WideWeight weight) {
    first = vmlal_s16(vmlal_s16(first, vget_low_s16(a), weight.a), vget_low_s16(b), weight.b);
    second = vmlal_s16(vmlal_s16(second, vget_high_s16(a), weight.a), vget_high_s16(b), weight.b);
  }
  KINGLET_INLINE Shorts quad(const int16_t* from) {
    const int16x4_t q = vld1_s16(from);
    return vcombine_s16(q, q);
  }
  KINGLET_INLINE Ints add_products(Ints sums, Shorts a, Shorts b) {
    return vaddq_s32(sums, vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vmull_high_s16(a, b)));
  }
  KINGLET_INLINE void round_to_shorts(Batch values, int16_t* to) {
    vst1_s16(to, vmovn_s32(vcvtnq_s32_f32(values)));
  }

  using Nibbles = uint8x16_t;
  KINGLET_INLINE Nibbles zero_nibbles() { return vdupq_n_u8(0); }
  KINGLET_INLINE Nibbles load_nibbles(const uint8_t* from) { return vld1q_u8(from); }
  KINGLET_INLINE void add_nibbles(Nibbles& low, Nibbles& high, Nibbles pairs) {
    low = vaddq_u8(low, vandq_u8(pairs, vdupq_n_u8(15)));
    high = vaddq_u8(high, vshrq_n_u8(pairs, 4));
  }
  KINGLET_INLINE Shorts widen_lower(Nibbles bytes) {
    return vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes)));
  }
  KINGLET_INLINE Shorts widen_upper(Nibbles bytes) { return vreinterpretq_s16_u16(vmovl_high_u8(bytes)); }
  KINGLET_INLINE Shorts add_shorts(Shorts a, Shorts b) { return vaddq_s16(a, b); }
  KINGLET_INLINE Shorts all_shorts(int16_t value) { return vdupq_n_s16(value); }
};

using F32 = simd::KernelsF32<Neon>;
using S8 = simd::KernelsS8<Neon>;
using S1 = simd::KernelsS1<Neon>;
using S4 = simd::KernelsS4<Neon>;

}  // namespace

const KernelTable neon_table = {
    Isa::neon,          F32::add_rows<float>, F32::add_rows<Bf16>, F32::add_rows<F16>, S8::add_rows_s16,
    S8::add_rows,       S4::add_rows,         S1::count_signs,     S1::add_signs,      S8::add_bundles,
    S8::add_bundles_s4, F32::gemv<float>,     F32::gemv<Bf16>,     F32::gemv<F16>,     S8::quantize,
    S8::gemv,           F32::activate,        F32::find_flips,     list_flips,         count_flips};

}  // namespace kinglet::kernels
