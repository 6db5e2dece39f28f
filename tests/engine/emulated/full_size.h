#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "kinglet/session.h"

#include "requests.h"
#include "support/random.h"
#include "support/small_model.h"

namespace kinglet::test {

/// A full-size network, a few requests to it, and the bits that the scalar kernels give here.
struct FullSizeCase {
  FullSizeCase(const TempDir& dir, size_t count, converter::Precision precision = converter::Precision::fp32)
      : model(write_model(dir, {}, 30'522, precision)), requests(dir / "requests") {
    Session session(Model::open(model, {.isa = kernels::Isa::scalar}));
    Random random(5);
    std::vector<StoredRequest> stored(count);
    for (auto& request : stored) {
      for (int t = 0; t < 30; ++t) request.tokens.push_back(static_cast<uint32_t>(random.below(30'000)));
      for (int i = 0; i < 73; ++i) request.numerics.push_back(static_cast<double>(random.below(100)));
      request.flags = random.below(4'096);
      request.categories = {1, 2, 3};
      expected.push_back(logit_bits(session, request));
    }
    write_requests(requests, stored);
  }

  std::filesystem::path model, requests;
  std::vector<std::string> expected;  // of each request
};

}  // namespace kinglet::test
