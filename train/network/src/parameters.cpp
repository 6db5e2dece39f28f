#include "parameters.h"

#include <algorithm>

namespace kinglet::train {
namespace {

constexpr size_t kAlignment = 16;  // floats: every slot starts a cache line

size_t padded(size_t size, size_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}

}  // namespace

ParameterLayout::ParameterLayout(const NetworkShape& shape)
    : shape_(shape),
      padded_hidden_(padded(shape.hidden, kBlock)),
      padded_dense_(padded(shape.dense(), kDenseGroup)) {
  const size_t square = size_t{shape.hidden} * padded_hidden_;
  std::array<size_t, kSlots> sizes{};
  const auto set = [&](Slot s, size_t size) { sizes[static_cast<size_t>(s)] = padded(size, kAlignment); };
  set(Slot::sketch, size_t{shape.sketch} * columns());
  set(Slot::dense, padded_dense_ * columns());
  set(Slot::first_bias, columns());
  for (size_t i = 0; i < 3; ++i) {
    set(slot(Slot::weight2, i), square);
    set(slot(Slot::bias2, i), padded_hidden_);
  }
  for (size_t i = 0; i < kNorms; ++i) {
    set(slot(Slot::scale1, i), padded_hidden_);
    set(slot(Slot::shift1, i), padded_hidden_);
  }
  set(Slot::output, 4 * padded_hidden_);
  set(Slot::output_bias, 4);
  set(Slot::language, size_t{shape.languages} * kEmbedding);
  set(Slot::hour, size_t{kHours} * kEmbedding);
  set(Slot::day, size_t{kDays} * kEmbedding);
  for (size_t i = 0; i < kSlots; ++i) offsets_[i + 1] = offsets_[i] + sizes[i];
}

NormStatistics::NormStatistics(const ParameterLayout& layout) {
  for (size_t i = 0; i < kNorms; ++i) {
    mean[i] = Buffer<float>(layout.padded_hidden());
    variance[i] = Buffer<float>(layout.padded_hidden());
    std::fill(variance[i].begin(), variance[i].end(), 1.0F);
  }
}

}  // namespace kinglet::train
