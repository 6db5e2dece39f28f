#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kinglet::test {

/// One batch as the network's definition takes it: every input but the embeddings, sketch included.
struct PlainBatch {
  size_t rows = 0;
  size_t inputs = 0;
  std::vector<double> x;              // [rows][inputs]
  std::vector<size_t> categories[3];  // language, hour, day
  std::vector<double> labels;         // [rows][4]
};

/// A tensor of doubles by name, in PyTorch's shape.
using PlainTensors = std::map<std::string, std::vector<double>>;

struct PlainStep {
  double loss = 0;
  PlainTensors gradients;
};

/// Loss and gradients of spec section 6 in plain loops of doubles; moves the running statistics in `state`.
/// Shares nothing with the trainer. `flip_penalty` as in Settings; the loss is without it.
PlainStep plain_gradients(PlainTensors& state, const PlainBatch& batch, double flip_penalty = 0);

/// The logits with running statistics.
std::vector<double> plain_logits(const PlainTensors& state, size_t hidden, const PlainBatch& batch);

/// AdamW as spec section 7 says; `step` counts from 1. Moments start as empty maps.
void plain_adamw(PlainTensors& state, const PlainTensors& gradients, PlainTensors& first,
                 PlainTensors& second, double rate, uint64_t step);

}  // namespace kinglet::test
