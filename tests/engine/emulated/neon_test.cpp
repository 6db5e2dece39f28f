// The engine built for AArch64 and run by qemu-user: $KINGLET_NEON_PROBE is a command, the emulator and the
// probe of that build; `./run neon` sets it.
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "kinglet/session.h"

#include "full_size.h"
#include "requests.h"
#include "signature.h"
#include "signature_model.h"
#include "support/process.h"
#include "support/small_world.h"

namespace {

using Lines = std::map<std::string, std::vector<std::string>>;

/// What the probe printed: values by the word before them. Empty, and the test skipped, if there is no probe.
Lines probe(const std::vector<std::string>& arguments) {
  const char* command = std::getenv("KINGLET_NEON_PROBE");
  if (command == nullptr) {
    kinglet::test::report_skipped("no build for AArch64: ./run neon makes it");
    return {};
  }
  std::istringstream words(command);
  std::vector<std::string> call;
  for (std::string word; words >> word;) call.push_back(word);
  call.insert(call.end(), arguments.begin(), arguments.end());
  const auto result = kinglet::test::run_process(call);
  REQUIRE_MESSAGE(result.exit_code == 0, result.out << result.err);
  Lines lines;
  std::istringstream text(result.out);
  std::string name;
  std::string value;
  while (text >> name >> value) lines[name].push_back(value);
  return lines;
}

}  // namespace

TEST_CASE("AArch64: each precision's signature of NEON is that of x86-64") {
  for (const kinglet::test::PrecisionSignature& signature : kinglet::test::kSignatures) {
    const kinglet::test::TempDir dir;
    const std::string model = kinglet::test::write_signature_model(dir, signature.precision).string();
    const Lines lines = probe({model});
    if (lines.empty()) return;
    std::ostringstream expected;
    expected << std::hex << signature.signature;
    CHECK(lines == Lines{{"neon", {expected.str()}}});
  }
}

TEST_CASE("AArch64: folded layers, frequent numbers and prefetched rows have the bits of x86-64") {
  const kinglet::test::TempDir dir;
  const kinglet::test::SmallWorld world(dir, 200);
  kinglet::synthetic::NetworkOptions network;
  network.hidden = 70;
  network.depth = 5;
  network.width = 64;
  const std::filesystem::path model = kinglet::test::write_skeleton_model(dir, world, network, 500);
  const Lines lines = probe({model.string()});
  if (lines.empty()) return;
  std::ostringstream expected;
  expected << std::hex << kinglet::test::signature(kinglet::Model::open(model));
  CHECK(lines == Lines{{"neon", {expected.str()}}});
}

TEST_CASE("AArch64: the signature of a token mean of NEON is that of x86-64") {
  const kinglet::test::TempDir dir;
  const Lines lines = probe({kinglet::test::write_mean_signature_model(dir).string()});
  if (lines.empty()) return;
  std::ostringstream expected;
  expected << std::hex << kinglet::test::kMeanSignature;
  CHECK(lines == Lines{{"neon", {expected.str()}}});
}

TEST_CASE("AArch64: a full-size network has the bits of x86-64, scalar and NEON, and NEON is chosen") {
  for (const kinglet::test::PrecisionSignature& signature : kinglet::test::kSignatures) {
    const kinglet::test::TempDir dir;
    const kinglet::test::FullSizeCase full(dir, 4, signature.precision);
    const Lines lines = probe({full.requests.string(), full.model.string()});
    if (lines.empty()) return;
    CHECK_MESSAGE((lines == Lines{{"best", {"neon"}}, {"neon", full.expected}, {"scalar", full.expected}}),
                  kinglet::test::name_of(signature.precision));
  }
}
