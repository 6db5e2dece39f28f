// Runs on an emulated CPU (static, one thread, no signals): scores the requests of a file on every
// instruction set this CPU has and prints the logits' bits; of every other one, that the model refused it.
// usage: probe MODEL REQUESTS
#include <bit>
#include <cstdio>
#include <cstring>
#include <vector>

#include "kinglet/formats/error.h"
#include "kinglet/session.h"

#include "emulated/requests.h"

namespace {

/// A model asked for an instruction set that this CPU lacks.
const char* outcome_without(kinglet::kernels::Isa isa, const char* model) {
  try {
    kinglet::Model::open(model, {.isa = isa});
    return "accepted";
  } catch (const kinglet::Error&) {
    return "refused";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  try {
    const std::vector<kinglet::test::StoredRequest> requests = kinglet::test::read_requests(argv[2]);
    for (const kinglet::kernels::Isa isa : kinglet::kernels::built_isas()) {
      const std::string name(kinglet::kernels::isa_name(isa));
      if (!kinglet::kernels::supported(isa)) {
        std::printf("%s %s\n", name.c_str(), outcome_without(isa, argv[1]));
        continue;
      }
      kinglet::Session session(kinglet::Model::open(argv[1], {.isa = isa}));
      for (const auto& request : requests)
        std::printf("%s %s\n", name.c_str(), kinglet::test::logit_bits(session, request).c_str());
    }
    const std::string best(kinglet::kernels::isa_name(kinglet::kernels::best_isa()));
    std::printf("best %s\n", best.c_str());
  } catch (const std::exception& error) {
    std::printf("error %s\n", error.what());
    return 1;
  }
  return 0;
}
