#pragma once

#include <array>
#include <cstdint>

#include "kinglet/model.h"
#include "kinglet/request.h"

/// The checks of Model::verify that need an engine.
namespace kinglet {

/// Scores every self-test of the model's file; throws Error on the first whose logits have other bits.
void run_self_tests(const Model& model);

/// Every code is below the sketch's width or kNoCode, and a token has all of its codes or none.
void check_codebook(const Model& model);

}  // namespace kinglet
