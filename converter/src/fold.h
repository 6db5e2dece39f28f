#pragma once

#include "first_layer_table.h"
#include "layout_builder.h"
#include "network.h"
#include "pack.h"

namespace kinglet::converter {

/// The plan "dense" in fp32: the first layer as a table of rows [l1 | projection], embeddings multiplied
/// through it, and three dense hidden layers. Batch normalisation is folded into the weights that read it, in
/// double, rounded to float once; the residual into layer 4 keeps BN1 as a scale and shift of its own
/// (docs/numerics.md). Frequent values get rows behind those of the layout, which names them.
std::unique_ptr<fbs::PlanT> fold_dense_f32(const Network& network, InputLayout& layout,
                                           const FrequentValues& frequent, TensorPack& pack);

/// What the weight tables of a plan with less than 32 bits a weight are stored as.
struct NarrowTypes {
  fbs::ElementType sketch;    // rows of the sketch: bf16, f16 or s8
  fbs::ElementType features;  // rows of all other features: bf16, f16 or s16
  fbs::ElementType hidden;    // weights of the hidden layers: bf16, f16 or s8
};

/// The same plan with narrower weight tables; vectors and the output layer stay floats. Hidden weights stay
/// as trained: what they read is normalised as in training, less its mean, which goes into the bias. Folding
/// normalisation into them would spread their sizes 36 to 200 fold, too far for 8 bits an output and for the
/// exponents of f16; and what is centred is smaller, and with it what rounded weights make of it.
std::unique_ptr<fbs::PlanT> fold_dense_narrow(const Network& network, InputLayout& layout,
                                              const FrequentValues& frequent, const NarrowTypes& types,
                                              TensorPack& pack);

}  // namespace kinglet::converter
