#pragma once

#include <array>
#include <filesystem>

#include "kinglet/converter/tensors.h"
#include "kinglet/train/settings.h"

#include "languages.h"
#include "network.h"
#include "token_table.h"

namespace kinglet::train {

/// Draws initial weights as spec section 7 says, a stream of the seed for each tensor; with
/// settings.base_rate_bias the output biases are the log-odds of `rates` (the share of rows with each
/// Target).
void draw_initial(const Settings& settings, const std::array<double, 4>& rates, Network& network);

/// Takes another training's weights and running statistics. `known`: the languages of its embedding rows,
/// which stand first in `languages`; those added since start as its row for unknown languages. Throws Error
/// naming `file`.
void take_initial(const converter::TensorMap& tensors, const std::string& file, size_t known,
                  Network& network);

/// Sets the weights of inputs whose group is off to 0, where they stay: nothing moves them.
void switch_off(const Settings& settings, Network& network);

}  // namespace kinglet::train
