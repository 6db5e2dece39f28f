#pragma once

#include "layout_builder.h"
#include "network.h"
#include "pack.h"

namespace kinglet::converter {

/// The plan "dense" in fp32: the first layer as a table of rows [l1 | projection], embeddings multiplied
/// through it, and three dense hidden layers. Batch normalisation is folded into the weights that read it, in
/// double, rounded to float once; the residual into layer 4 keeps BN1 as a scale and shift of its own
/// (docs/numerics.md).
std::unique_ptr<fbs::PlanT> fold_dense_plan(const Network& network, const InputLayout& layout,
                                            TensorPack& pack);

}  // namespace kinglet::converter
