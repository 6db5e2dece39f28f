#pragma once

#include <cstddef>

namespace kinglet::train {

/// What is done with a gradient as soon as it is known: nothing keeps all of them. Each parameter's comes
/// once a step, when nothing of the step needs its value any more. take() is called from several threads for
/// disjoint ranges.
class GradientSink {
 public:
  virtual ~GradientSink() = default;
  /// `gradient` of the `size` parameters from place `offset` of the parameter array.
  virtual void take(size_t offset, const float* gradient, size_t size) = 0;
  /// The gradient of these parameters will be taken soon by the same thread: what it needs can be fetched
  /// from memory meanwhile.
  virtual void expect(size_t /*offset*/, size_t /*size*/) noexcept {}
};

}  // namespace kinglet::train
