#pragma once

#include <span>
#include <string>

#include "kinglet/converter/tensors.h"

#include "parameters.h"

namespace kinglet::train {

/// The trained tensors under their names of spec section 6 and in PyTorch's shapes ([out][in]), from an array
/// laid out by `layout`: parameters, or anything kept for each of them (gradients, moments).
converter::TensorMap to_state_dict(const ParameterLayout& layout, std::span<const float> values);
/// The running statistics: "bn1.running_mean" and the like.
void add_statistics(const ParameterLayout& layout, const NormStatistics& statistics,
                    converter::TensorMap& tensors);

/// The other way. Throws Error naming `file` and the tensor where one is missing or of another shape.
void from_state_dict(const converter::TensorMap& tensors, const std::string& file,
                     const ParameterLayout& layout, std::span<float> values);
/// A missing number of batches is 0.
void read_statistics(const converter::TensorMap& tensors, const std::string& file,
                     const ParameterLayout& layout, NormStatistics& statistics);

}  // namespace kinglet::train
