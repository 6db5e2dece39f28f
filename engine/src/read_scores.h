#pragma once

#include <cstddef>

#include "kinglet/features/elementary.h"
#include "kinglet/request.h"

namespace kinglet {

inline void read_scores(const float* logits, Scores& scores) noexcept {
  for (size_t i = 0; i < kTargets; ++i) {
    scores.logits[i] = logits[i];
    scores.probabilities[i] = features::sigmoid(logits[i]);
  }
}

}  // namespace kinglet
