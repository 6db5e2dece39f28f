#pragma once

#include <memory>
#include <string>
#include <vector>

#include "first_layer_table.h"
#include "layout_builder.h"
#include "network.h"
#include "pack.h"
#include "sketch_rounding.h"

/// What every way to fold the network shares: pieces of the plan, and their tensors.
namespace kinglet::converter {

inline constexpr float kLeakySlope = 0.01F;

/// How many hidden layers a plan can fold: all but the last, whose units cost no more than the logits.
inline constexpr size_t kFoldable = 3;

/// What a byte of a folded layer's columns costs beside one of dense weights, read in order, where both are
/// in the third-level cache (bench_kernels: 57 and 88 GB/s): what the dense way's limit is set by.
inline constexpr double kGatherCost = 2;

/// Of the inputs of the dense layers behind folded ones, one of so many may need more than 8 bits
/// (docs/numerics.md): 8 bits alone err about half as much as rounded weights do. Where no layer is folded,
/// three layers in a row would err so: they keep 14 bits.
inline constexpr uint32_t kWideShare = 64;

/// What the weight tables of a plan are stored as.
struct NarrowTypes {
  fbs::ElementType sketch;   // rows of the sketch: f32, bf16, f16, s8, or s4 (s8 behind the folded blocks)
  fbs::ElementType tokens;   // rows of whole tokens: f32, bf16, f16 or s8
  fbs::ElementType encoded;  // rows of numbers' encoded values: f32, bf16, f16, s16 or s8
  fbs::ElementType mean;     // rows of a token mean: f32, bf16, f16 or s16
  fbs::ElementType columns;  // of folded layers: f32, bf16, f16 or s8
  fbs::ElementType hidden;   // weights of the hidden layers: f32, bf16, f16 or s8
  fbs::ElementType once;     // rows of frequent values, flags, categories: f32, bf16, f16, s16 or s8
  /// Bits of the sketch's rows, where that is s4, in the folded blocks: 4; or 1, and other rows of 8 bits
  /// have 4 there.
  uint32_t side_bits = 4;
};

/// Of a plan with `layers` folded: the first columns of its rows, which have side_bits in the sketch's and,
/// where those are 1, 4 in other rows of 8 bits. 0 but where the sketch is s4.
uint64_t narrow_columns(const NarrowTypes& types, uint64_t hidden, size_t layers);

bool is_integer(fbs::ElementType type);
uint64_t round_up(uint64_t value, uint64_t step);
uint64_t count_of(const FrequentValues& frequent);

/// W (scale * a + shift) + b = (W scale) a + (b + W shift).
Linear fold_norm(const Linear& linear, const Norm& norm);
/// b + W mean: the bias of a layer that reads its input less the mean.
std::vector<double> bias_with_mean(const Linear& linear, const Norm& norm);

std::unique_ptr<fbs::BlockT> block(const std::string& name, uint64_t offset, uint64_t width);
std::unique_ptr<fbs::StepT> dense_step(const std::string& name, const std::string& input);
std::unique_ptr<fbs::StepT> hidden_step(const std::string& name, const std::string& input,
                                        const std::string& addend);
void make_leaky(fbs::StepT& step);
/// The step's normalisation, less its mean.
void normalise(fbs::StepT& step, const Norm& norm, uint64_t padded, TensorPack& pack);

/// The first layer's tables: text, encoded values, rows that count once. Of their first `narrow` columns
/// (narrow_columns) the plan uses little but the sign: where the sketch has fewer bits, those behind keep 8.
void add_first_layer(const FirstLayerTable& table, InputLayout& layout, const Frequent& frequent,
                     const SketchTokens& tokens, const NarrowTypes& types, uint64_t narrow, fbs::PlanT& plan,
                     TensorPack& pack);
/// Rows that stand for all of a token's sketch rows, numbered from `first_row` on: their sums in double,
/// rounded once. The first `narrow` columns have 4 bits.
void add_token_rows(const FirstLayerTable& table, const Frequent& frequent, uint64_t first_row,
                    fbs::ElementType type, uint64_t narrow, fbs::FeatureLayoutT& layout, fbs::PlanT& plan,
                    TensorPack& pack);
/// Rows behind those that the plan has.
void add_more_rows(fbs::PlanT& plan, const std::string& name, fbs::ElementType type);
/// A layer of floats.
void add_f32(TensorPack& pack, const std::string& name, const Linear& linear, uint32_t panel);
/// A hidden layer that reads normalised values less their mean; `bias` holds the mean's share.
void add_narrow(fbs::StepT& step, fbs::ElementType type, const Linear& linear,
                const std::vector<double>& bias, TensorPack& pack);

/// Layers count from 0: the block that holds a folded layer's sum ("l1", "sum2", ...), and its activations.
std::string block_name(size_t layer);
std::string hidden_name(size_t layer);
/// The layers behind the `folded` ones, whose sums are blocks, to the logits. What they read is normalised
/// less its mean.
void add_dense_layers(const Network& network, size_t folded, const NarrowTypes& types, fbs::PlanT& plan,
                      TensorPack& pack);

}  // namespace kinglet::converter
