#pragma once

#include <bit>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include <xxhash.h>

#include "kinglet/session.h"

#include "support/random.h"

namespace kinglet::test {

/// A hash of the logits and probabilities of so many fixed requests: one number for all of a model's scoring.
inline uint64_t signature(const Model& model, int requests = 10'000) {
  Session session(model);
  Random random(2021);
  std::vector<uint32_t> bits;
  std::vector<uint32_t> tokens;
  std::vector<double> numerics(model.numeric_count());
  std::vector<uint32_t> categories(model.category_count());
  for (int i = 0; i < requests; ++i) {
    tokens.resize(random.below(50));
    for (uint32_t& token : tokens) token = static_cast<uint32_t>(random.below(600));
    for (double& value : numerics)
      value = static_cast<double>(random.below(random.below(8) == 0 ? 10'000'000 : 4));
    for (size_t c = 0; c < categories.size(); ++c)
      categories[c] = static_cast<uint32_t>(random.below(model.categories(c)));
    Scores scores;
    if (session.score({tokens, numerics, random.below(4'096), categories}, scores) != Status::ok) {
      throw std::runtime_error("a request of the signature was refused");
    }
    for (const float logit : scores.logits) bits.push_back(std::bit_cast<uint32_t>(logit));
    for (const float probability : scores.probabilities) bits.push_back(std::bit_cast<uint32_t>(probability));
  }
  return XXH3_64bits(bits.data(), bits.size() * sizeof bits[0]);
}

}  // namespace kinglet::test
