#include "synthetic/synthetic.h"

#include <array>
#include <string_view>
#include <vector>

#include "support/support.h"

using namespace kinglet::synthetic;
using kinglet::test::read_file;
using kinglet::test::TempDir;

namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t end = 0; (end = text.find(separator)) != std::string_view::npos; text.remove_prefix(end + 1)) {
    parts.push_back(text.substr(0, end));
  }
  parts.push_back(text);
  return parts;
}

std::string rows(size_t count, SyntheticWorld::Labels labels) {
  SyntheticWorld world;
  std::string text;
  for (size_t i = 0; i < count; ++i) world.append_row(1'612'396'800 + static_cast<int64_t>(i), labels, text);
  return text;
}

// FNV-1a, so that the number below depends on nothing else of the project.
uint64_t fingerprint(std::string_view bytes) {
  uint64_t hash = 0xCBF2'9CE4'8422'2325;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100'0000'01B3;
  return hash;
}

}  // namespace

TEST_CASE("every compiler and build makes the same rows") {
  CHECK(fingerprint(rows(2'000, SyntheticWorld::Labels::yes)) == 3'242'274'562'416'368'479);
}

TEST_CASE("rows have 24 fields with labels and 20 without") {
  const auto check = [](SyntheticWorld::Labels labels, size_t fields) {
    const std::string text = rows(300, labels);
    const auto lines = split(text, '\n');
    REQUIRE(lines.size() == 301);
    CHECK(lines.back().empty());
    for (size_t i = 0; i < 300; ++i) CHECK(split(lines[i], '\x01').size() == fields);
  };
  check(SyntheticWorld::Labels::yes, 24);
  check(SyntheticWorld::Labels::no, 20);
}

TEST_CASE("reactions come at about their base rates") {
  const std::string text = rows(20'000, SyntheticWorld::Labels::yes);
  std::array<double, 4> counts{};  // reply, retweet, quote, like
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(line, '\x01');
    for (size_t i = 0; i < 4 && fields.size() == 24; ++i) counts[i] += fields[20 + i].empty() ? 0 : 1;
  }
  constexpr std::array<double, 4> kRates{0.03, 0.09, 0.007, 0.40};
  for (size_t i = 0; i < 4; ++i) CHECK(counts[i] / 20'000 == doctest::Approx(kRates[i]).epsilon(0.2));
}

TEST_CASE("the default network has the published number of parameters") {
  // Not written to disk: the same sum at a small hidden size, then the published one by hand.
  TempDir folder;
  NetworkOptions options;
  options.hidden = 8;
  const auto expected = [&](uint64_t hidden) {
    return 2 * (options.inputs() + 1) * hidden + 3 * (hidden + 1) * hidden + 4 * (hidden + 1) + 8 * hidden +
           20 * (67 + 24 + 31);
  };
  CHECK(options.inputs() == 6'360);
  CHECK(write_checkpoint(options, folder / "small.safetensors") == expected(8));
  CHECK(expected(1'500) == 25'857'944);
}

TEST_CASE("the codebook leaves out about one token in fifty, and its codes are absolute") {
  TempDir folder;
  write_codebook({}, 5'000, folder / "codebook.json");
  const std::string text = read_file(folder / "codebook.json");
  const auto lines = split(text, '\n');
  CHECK(lines.size() > 4'800);
  CHECK(lines.size() < 4'960);
  const auto codes = split(lines[1].substr(lines[1].find('[') + 1), ',');
  REQUIRE(codes.size() >= 20);
  for (size_t depth = 0; depth < 20; ++depth) CHECK(std::stoul(std::string(codes[depth])) / 256 == depth);
}
