#pragma once

#include "plan_parts.h"

namespace kinglet::converter {

/// The plan "dense" in fp32: the first layer as a table of rows [l1 | projection], embeddings multiplied
/// through it, and three dense hidden layers. Batch normalisation is folded into the weights that read it, in
/// double, rounded to float once; the residual into layer 4 keeps BN1 as a scale and shift of its own
/// (docs/numerics.md). Frequent values get rows behind those of the layout, which names them.
std::unique_ptr<fbs::PlanT> fold_dense_f32(const Network& network, InputLayout& layout,
                                           const Frequent& frequent, TensorPack& pack);

/// The same plan with narrower weight tables; vectors and the output layer stay floats. Hidden weights stay
/// as trained: what they read is normalised as in training, less its mean, which goes into the bias. Folding
/// normalisation into them would spread their sizes 36 to 200 fold, too far for 8 bits an output and for the
/// exponents of f16; and what is centred is smaller, and with it what rounded weights make of it.
std::unique_ptr<fbs::PlanT> fold_dense_narrow(const Network& network, InputLayout& layout,
                                              const Frequent& frequent, const SketchTokens& tokens,
                                              const NarrowTypes& types, TensorPack& pack);

}  // namespace kinglet::converter
