// One number for all of a precision's scoring: a hash of the logits of 10,000 fixed requests to a fixed
// network. Every compiler, build and instruction set must give it.
#include "emulated/signature.h"

#include "emulated/signature_model.h"

TEST_CASE("each precision's signature is the same on every instruction set, compiler and build") {
  for (const kinglet::test::PrecisionSignature& expected : kinglet::test::kSignatures) {
    const kinglet::test::TempDir dir;
    const std::filesystem::path path = kinglet::test::write_signature_model(dir, expected.precision);
    for (const auto isa : kinglet::kernels::built_isas()) {
      if (!kinglet::kernels::supported(isa)) continue;
      const uint64_t actual = kinglet::test::signature(kinglet::Model::open(path, {.isa = isa}));
      CHECK_MESSAGE(actual == expected.signature, kinglet::test::name_of(expected.precision)
                                                      << ", " << kinglet::kernels::isa_name(isa) << ": "
                                                      << std::hex << actual);
    }
  }
}

TEST_CASE("the signature of a token mean is the same on every instruction set, compiler and build") {
  const kinglet::test::TempDir dir;
  const std::filesystem::path path = kinglet::test::write_mean_signature_model(dir);
  for (const auto isa : kinglet::kernels::built_isas()) {
    if (!kinglet::kernels::supported(isa)) continue;
    const uint64_t actual = kinglet::test::signature(kinglet::Model::open(path, {.isa = isa}));
    CHECK_MESSAGE(actual == kinglet::test::kMeanSignature, kinglet::kernels::isa_name(isa)
                                                               << ": " << std::hex << actual);
  }
}
