#pragma once

#include <string>

#include "kinglet/kernels/kernels.h"

namespace kinglet::converter {

/// The nearest number of 16 bits, ties to even, rounded once; throw Error naming the tensor where it is not
/// finite.
kernels::Bf16 to_bf16(double value, const std::string& tensor);
kernels::F16 to_f16(double value, const std::string& tensor);

}  // namespace kinglet::converter
