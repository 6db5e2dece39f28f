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

/// The same plan with 8-bit sketch rows, 16-bit rows of all other features and 8-bit hidden layers. Hidden
/// weights stay as trained: what they read is normalised as in training, less its mean, which goes into the
/// bias. Folding normalisation into them would spread their sizes 36 to 200 fold.
std::unique_ptr<fbs::PlanT> fold_dense_s8(const Network& network, InputLayout& layout,
                                          const FrequentValues& frequent, TensorPack& pack);

}  // namespace kinglet::converter
