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

/// False where there is no probe.
bool check_signature(const std::vector<std::string>& arguments, std::string_view name, uint64_t signature) {
  const Lines lines = probe(arguments);
  if (lines.empty()) return false;
  std::ostringstream expected;
  expected << std::hex << signature;
  CHECK_MESSAGE((lines == Lines{{"neon", {expected.str()}}}), name);
  return true;
}

}  // namespace

TEST_CASE("AArch64: each precision's signature of NEON is that of x86-64") {
  for (const kinglet::test::PrecisionSignature& signature : kinglet::test::kSignatures) {
    const kinglet::test::TempDir dir;
    const std::string model = kinglet::test::write_signature_model(dir, signature.precision).string();
    if (!check_signature({model}, kinglet::test::name_of(signature.precision), signature.signature)) return;
  }
}

TEST_CASE("AArch64: so is that of every model with folded layers") {
  const std::string first = std::to_string(kinglet::test::kSkeletonRequests);
  for (const kinglet::test::SkeletonSignature& signature : kinglet::test::kSkeletonSignatures) {
    const kinglet::test::TempDir dir;
    const std::string model = kinglet::test::write_signature_model(dir, signature).string();
    if (!check_signature({"--first", first, model}, kinglet::test::name_of(signature), signature.signature))
      return;
  }
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
