#pragma once

#include "kinglet/formats/model_file.h"

namespace kinglet::converter {

/// Gives the header a handful of requests that exercise every feature of its layout: an empty tweet, unknown
/// and repeated tokens, zero, small, large and negative values, every flag, first and last categories. Their
/// logits are zero until record_self_tests().
void add_self_tests(fbs::ModelT& header, uint64_t tokens);

/// Scores them with the scalar kernels (the specification) and stores the bits.
void record_self_tests(formats::ModelFileWriter& writer, const std::string& name);

/// Opens the finished image with every instruction set of this CPU and verifies it in full.
void verify_everywhere(formats::ModelFileWriter& writer, const std::string& name);

}  // namespace kinglet::converter
