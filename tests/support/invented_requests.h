#pragma once

#include <random>
#include <vector>

#include "kinglet/model.h"

#include "engine/emulated/requests.h"

namespace kinglet::test {

/// Requests to any model, of all sizes: from nothing at all to long tweets with large numbers, which take
/// many units of the network to the side of 0 that rows seldom take them to.
inline std::vector<StoredRequest> invented_requests(const Model& model, size_t count, uint32_t vocabulary,
                                                    uint32_t seed = 1) {
  std::mt19937 random(seed);
  const auto below = [&](uint64_t limit) { return random() % limit; };
  std::vector<StoredRequest> requests;
  for (size_t i = 0; i < count; ++i) {
    StoredRequest request;
    request.tokens.resize(i == 0 ? 2 : 2 + below(60));
    for (uint32_t& token : request.tokens) token = static_cast<uint32_t>(below(vocabulary + 5));
    for (size_t n = 0; n < model.numeric_count(); ++n) {
      const uint64_t limit = below(4) == 0 ? 1'000'000 : 4;
      request.numerics.push_back(i == 0 ? 0.0 : static_cast<double>(below(limit)) - (i % 5 == 4 ? 3.0 : 0.0));
    }
    request.flags = i == 0 ? 0 : random() & ((uint64_t{1} << model.flag_count()) - 1);
    for (size_t c = 0; c < model.category_count(); ++c)
      request.categories.push_back(static_cast<uint32_t>(i == 0 ? 0 : below(model.categories(c))));
    requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace kinglet::test
