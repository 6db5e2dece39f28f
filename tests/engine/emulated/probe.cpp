// Runs on an emulated CPU (static, one thread, no signals): on every instruction set this CPU has, scores the
// requests of a file with each model and prints the logits' bits; without a file, prints the model's
// signature. Of every other instruction set of this build it prints that the model refused it.
// usage: probe MODEL | probe --first COUNT MODEL (a signature of fewer requests) | probe REQUESTS MODEL...
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "kinglet/formats/error.h"
#include "kinglet/session.h"

#include "requests.h"
#include "signature.h"

namespace {

using kinglet::kernels::Isa;

/// A model asked for an instruction set that this CPU lacks.
const char* outcome_without(Isa isa, const char* model) {
  try {
    kinglet::Model::open(model, {.isa = isa});
    return "accepted";
  } catch (const kinglet::Error&) {
    return "refused";
  }
}

void score(Isa isa, const char* path, const char* requests) {
  const std::string name(kinglet::kernels::isa_name(isa));
  if (!kinglet::kernels::supported(isa)) {
    std::printf("%s %s\n", name.c_str(), outcome_without(isa, path));
    return;
  }
  kinglet::Session session(kinglet::Model::open(path, {.isa = isa}));
  for (const auto& request : kinglet::test::read_requests(requests))
    std::printf("%s %s\n", name.c_str(), kinglet::test::logit_bits(session, request).c_str());
}

void sign(const char* path, int requests) {
  const kinglet::Model model = kinglet::Model::open(path);
  const std::string name(kinglet::kernels::isa_name(model.isa()));
  std::printf("%s %llx\n", name.c_str(),
              static_cast<unsigned long long>(kinglet::test::signature(model, requests)));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 64;
  try {
    if (argc == 2) {
      sign(argv[1], 10'000);
      return 0;
    }
    if (argc == 4 && std::string_view(argv[1]) == "--first") {
      sign(argv[3], std::atoi(argv[2]));
      return 0;
    }
    for (int model = 2; model < argc; ++model) {
      for (const Isa isa : kinglet::kernels::built_isas()) score(isa, argv[model], argv[1]);
    }
    const std::string best(kinglet::kernels::isa_name(kinglet::kernels::best_isa()));
    std::printf("best %s\n", best.c_str());
  } catch (const std::exception& error) {
    std::printf("error %s\n", error.what());
    return 1;
  }
  return 0;
}
