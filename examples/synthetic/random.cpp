#include "synthetic/random.h"

#include <algorithm>
#include <bit>

namespace kinglet::synthetic {

Random::Random(uint64_t seed) noexcept : state_{} {
  for (uint64_t& word : state_) {
    word = mix(seed);
    seed += 0x9E37'79B9'7F4A'7C15;
  }
}

uint64_t Random::next() noexcept {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

PowerLaw::PowerLaw(size_t size, double offset) {
  double sum = 0;
  cumulative_.reserve(size);
  for (size_t rank = 0; rank < size; ++rank) {
    sum += 1.0 / (static_cast<double>(rank) + offset);
    cumulative_.push_back(sum);
  }
}

size_t PowerLaw::draw(Random& random) const noexcept {
  const double target = random.uniform() * cumulative_.back();
  const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end(), target);
  return std::min(static_cast<size_t>(found - cumulative_.begin()), cumulative_.size() - 1);
}

}  // namespace kinglet::synthetic
