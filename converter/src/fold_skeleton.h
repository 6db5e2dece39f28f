#pragma once

#include <array>
#include <vector>

#include "plan_parts.h"

namespace kinglet::converter {

/// For each unit of the first three hidden layers: whether it is mostly above 0.
using UsualSides = std::array<std::vector<bool>, kFoldable>;

/// Elements of one row of the skeleton's tables.
uint64_t skeleton_columns(uint64_t hidden, size_t layers);

/// The sign skeleton: with every unit of the first `layers` hidden layers (1 to kFoldable) taken to be on its
/// usual side of 0, leaky ReLU is a factor, and those layers and the one behind are affine in the inputs:
/// they become blocks of the first layer's rows. A unit on its other side adds what that changes, its column,
/// to the blocks behind. The layers left are dense. Exact algebra, computed in double (docs/numerics.md).
std::unique_ptr<fbs::PlanT> fold_skeleton(const Network& network, InputLayout& layout,
                                          const Frequent& frequent, const SketchTokens& tokens,
                                          const UsualSides& usual, size_t layers, const NarrowTypes& types,
                                          TensorPack& pack);

}  // namespace kinglet::converter
