#include <array>
#include <cmath>

#include "kinglet/converter/tensors.h"
#include "kinglet/converter/vocabulary.h"

#include "converter/checkpoint_bytes.h"
#include "support/npz.h"
#include "support/support.h"

namespace {

namespace fs = std::filesystem;
using namespace kinglet::converter;
using kinglet::test::NpzFile;

constexpr uint64_t kHidden = 96;
constexpr uint64_t kInputs = 6360;

void check_shape(const TensorMap& tensors, const std::string& name, const std::vector<uint64_t>& shape,
                 ElementType type = ElementType::f32) {
  CAPTURE(name);
  const auto found = tensors.find(name);
  REQUIRE(found != tensors.end());
  CHECK(found->second.type == type);
  CHECK(found->second.shape == shape);
  CHECK(found->second.bytes.size() == found->second.elements() * element_size(type));
}

}  // namespace

TEST_CASE("golden/net_h96.pt holds the network of spec section 6") {
  REQUIRE_SHARED(shared);
  const Checkpoint checkpoint = read_checkpoint(shared / "golden/net_h96.pt");
  CHECK(checkpoint.format == "torch zip");
  CHECK(checkpoint.key_prefix.empty());
  CHECK(checkpoint.ignored.empty());
  CHECK(checkpoint.tensors.size() == 35);
  const auto linear = [&](const std::string& name, uint64_t outputs, uint64_t inputs) {
    check_shape(checkpoint.tensors, name + ".weight", {outputs, inputs});
    check_shape(checkpoint.tensors, name + ".bias", {outputs});
  };
  linear("l1", kHidden, kInputs);
  linear("projection", kHidden, kInputs);
  for (const char* layer : {"l2", "l3", "l4"}) linear(layer, kHidden, kHidden);
  linear("l_output", 4, kHidden);
  for (const std::string norm : {"bn1", "bn2", "bn3", "bn4"}) {
    for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"}) {
      check_shape(checkpoint.tensors, norm + part, {kHidden});
    }
    check_shape(checkpoint.tensors, norm + ".num_batches_tracked", {}, ElementType::i64);
  }
  check_shape(checkpoint.tensors, "language.weight", {67, 20});
  check_shape(checkpoint.tensors, "hour.weight", {24, 20});
  check_shape(checkpoint.tensors, "day.weight", {31, 20});
}

TEST_CASE("golden/net_h96_lightning.ckpt holds the same tensors under a prefix") {
  REQUIRE_SHARED(shared);
  const Checkpoint plain = read_checkpoint(shared / "golden/net_h96.pt");
  const Checkpoint framework = read_checkpoint(shared / "golden/net_h96_lightning.ckpt");
  CHECK(framework.key_prefix == "model.");
  CHECK(framework.ignored == std::vector<std::string>{"epoch", "global_step", "pytorch-lightning_version",
                                                      "optimizer_states", "lr_schedulers"});
  CHECK(kinglet::test::same(plain.tensors, framework.tensors));
}

TEST_CASE("golden/net_h96_legacy.pt is refused with a way out") {
  REQUIRE_SHARED(shared);
  const auto message = kinglet::test::error_of([&] { read_checkpoint(shared / "golden/net_h96_legacy.pt"); });
  CHECK(message.find("net_h96_legacy.pt: ") != std::string::npos);
  CHECK(message.find("before PyTorch 1.6") != std::string::npos);
  CHECK(message.find("torch.save(torch.load(") != std::string::npos);
}

TEST_CASE("every .npz of golden/ reads") {
  REQUIRE_SHARED(shared);
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(shared / "golden")) {
    if (entry.path().extension() != ".npz") continue;
    CAPTURE(entry.path().filename().string());
    CHECK_FALSE(NpzFile(entry.path()).names().empty());
    CHECK(read_checkpoint(entry.path()).format == "npz");
    ++files;
  }
  CHECK(files == 7);
}

TEST_CASE("golden/train_50steps.npz keeps names with '/'") {
  REQUIRE_SHARED(shared);
  const NpzFile file(shared / "golden/train_50steps.npz");
  CHECK(file.shape("losses") == std::vector<uint64_t>{50});
  for (const std::string stage : {"init/", "grad0/", "final/"}) CHECK(file.contains(stage + "l1.weight"));
}

TEST_CASE("golden/fourier.npz: the values read are the numbers meant") {
  REQUIRE_SHARED(shared);
  const NpzFile file(shared / "golden/fourier.npz");
  const auto values = file.f64("values");
  const auto encoded = file.f64("encoded");
  REQUIRE(encoded.size() == values.size() * 16);
  for (size_t row = 0; row < values.size(); ++row) {
    CHECK(encoded[row * 16 + 1] == doctest::Approx(std::sin(values[row])));
    CHECK(encoded[row * 16 + 9] == doctest::Approx(std::cos(values[row])));
  }
}

TEST_CASE("golden/subwords_bert.json and language2id.json read") {
  REQUIRE_SHARED(shared);
  const CodebookJson codebook = read_codebook(shared / "golden/subwords_bert.json");
  CHECK(codebook.depth == 20);
  CHECK(codebook.codes.size() == size_t{codebook.token_limit} * codebook.depth);
  size_t missing = 0;
  for (uint32_t token = 0; token < codebook.token_limit; ++token) {
    const uint32_t* codes = codebook.codes.data() + size_t{token} * codebook.depth;
    if (codes[0] == CodebookJson::kNoCode) {
      ++missing;
      continue;
    }
    for (uint32_t depth = 0; depth < codebook.depth; ++depth) REQUIRE(codes[depth] / 256 == depth);
  }
  CHECK(missing > codebook.token_limit / 40);
  CHECK(missing < codebook.token_limit / 25);
  constexpr std::array<uint32_t, 3> first{86, 359, 736};
  CHECK(std::equal(first.begin(), first.end(), codebook.codes.begin()));

  const LanguageTable languages = read_languages(shared / "golden/language2id.json");
  REQUIRE(languages.size() == 11);
  for (uint32_t row = 0; row < languages.size(); ++row) {
    CHECK(languages[row].second == row);
    CHECK(languages[row].first.size() == 32);
  }
}
