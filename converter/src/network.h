#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kinglet/converter/tensors.h"

namespace kinglet::converter {

struct Linear {
  uint64_t outputs = 0;
  uint64_t inputs = 0;
  std::vector<double> weight;  // [outputs][inputs]
  std::vector<double> bias;    // [outputs]
};

/// Batch normalisation at inference: scale * x + shift, whose mean over the training rows is `mean`.
struct Norm {
  std::vector<double> scale;
  std::vector<double> shift;
  std::vector<double> mean;
};

struct EmbeddingTable {
  uint64_t categories = 0;
  uint64_t dimensions = 0;
  std::vector<double> weight;  // [categories][dimensions]
};

/// The network of spec section 6, every tensor present, of the right shape and finite.
struct Network {
  Linear l1, projection, l2, l3, l4, output;
  std::array<Norm, 4> norms;
  EmbeddingTable language, hour, day;
  uint64_t parameters = 0;

  uint64_t hidden() const { return l1.outputs; }
  /// Hidden layers count from 0.
  const Linear& hidden_layer(size_t layer) const {
    const std::array<const Linear*, 4> layers = {&l1, &l2, &l3, &l4};
    return *layers.at(layer);
  }
  uint64_t inputs() const { return l1.inputs; }
};

/// What a checkpoint's tensors were used for.
struct TensorUse {
  std::vector<std::string> unknown;  // ignored tensors of unknown name: refused under --strict
  std::vector<std::pair<std::string, std::string>> used;  // name, "f32 [96, 6360]"
  std::vector<std::pair<std::string, std::string>> ignored;
};

/// Takes the network out of a checkpoint; every tensor that is missing, misshapen, of an integer type or not
/// finite is an Error that names it. num_batches_tracked is optional and unused.
Network read_network(const Checkpoint& checkpoint, const std::string& file, TensorUse& use);

}  // namespace kinglet::converter
