#pragma once

#include "kinglet/codebook/emde.h"

namespace kinglet::codebook {

// The steps of fit_emde(), each on a hash that has what the steps before it give.

/// Mean and scale (spec section 5, step 1).
void fit_standardisation(const TokenVectors& vectors, EmdeHash& hash);

/// Biases (step 3) of the hash's components.
void fit_biases(const TokenVectors& vectors, const EmdeOptions& options, EmdeHash& hash,
                const ProgressFn& progress);

}  // namespace kinglet::codebook
