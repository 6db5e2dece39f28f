// Model files that are damaged, cut or forged: each is refused with an error, none crashes.
#include "kinglet/formats/model_file.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>

#include "kinglet/formats/error.h"
#include "kinglet/model.h"
#include "kinglet/session.h"

#include "support/small_world.h"

namespace {

using kinglet::Model;
using kinglet::converter::Precision;
using kinglet::formats::ModelFile;
using kinglet::formats::ModelFileWriter;
using kinglet::test::error_of;
using kinglet::test::TempDir;
namespace fbs = kinglet::fbs;

/// A model file's bytes at a 64-byte-aligned address, free to be changed.
class Bytes {
 public:
  explicit Bytes(const std::string& text) : size_(text.size()), storage_(text.size() + 64) {
    const auto address = reinterpret_cast<uintptr_t>(storage_.data());
    data_ = storage_.data() + (64 - address % 64) % 64;
    std::memcpy(data_, text.data(), text.size());
  }
  std::byte* data() { return data_; }
  size_t size() const { return size_; }
  std::span<const std::byte> first(size_t size) const { return {data_, size}; }
  std::span<const std::byte> all() const { return {data_, size_}; }

 private:
  size_t size_;
  std::vector<std::byte> storage_;
  std::byte* data_;
};

std::string tiny_model_in(Precision precision) {
  const TempDir dir;
  return kinglet::test::read_file(
      kinglet::test::write_model(dir, kinglet::test::tiny_network(), 11, precision));
}

const std::string& tiny_model() {
  static const std::string text = tiny_model_in(Precision::fp32);
  return text;
}

std::string tiny_skeleton_in(Precision precision, std::optional<uint32_t> side_bits = {}) {
  const TempDir dir;
  const kinglet::test::SmallWorld world(dir, 80);
  // Most of what a tweet adds is text: rows that count once have 8 bits then. Two blocks make a group of
  // signs.
  kinglet::synthetic::NetworkOptions network = kinglet::test::tiny_network();
  network.depth = 40;
  if (side_bits == 1) network.hidden = 70;
  return kinglet::test::read_file(
      kinglet::test::write_skeleton_model(dir, world, network, 3'000, precision, 2, side_bits));
}

/// The same network in 8 bits with frequent values and two folded layers.
const std::string& tiny_skeleton() {
  static const std::string text = tiny_skeleton_in(Precision::int8);
  return text;
}

/// The same with 4-bit rows of the sketch but for the last block.
const std::string& tiny_split() {
  static const std::string text = tiny_skeleton_in(Precision::int4);
  return text;
}

/// One with signs there, and with 4 bits in other rows.
const std::string& tiny_signs() {
  static const std::string text = tiny_skeleton_in(Precision::int4, 1);
  return text;
}

/// The same network with 4-bit rows of the sketch.
const std::string& tiny_nibbles() {
  static const std::string text = tiny_model_in(Precision::int4);
  return text;
}

/// The same checkpoint with the mean of token vectors in place of the sketch.
const std::string& tiny_mean() {
  static const std::string text = [] {
    const TempDir dir;
    return kinglet::test::read_file(kinglet::test::write_mean_model(dir, kinglet::test::tiny_network(), 11));
  }();
  return text;
}

using Tensors = std::vector<std::vector<std::byte>>;

/// A model rebuilt after `change`, with right lengths, offsets and checksums: what a forger would write.
Bytes forged(const std::function<void(fbs::ModelT&, Tensors&)>& change,
             const std::string& model = tiny_model()) {
  Bytes original(model);
  const ModelFile file(original.all(), "tiny");
  std::unique_ptr<fbs::ModelT> header(file.header().UnPack());
  Tensors tensors;
  for (const auto& tensor : file.tensors()) tensors.emplace_back(tensor.bytes.begin(), tensor.bytes.end());
  change(*header, tensors);
  ModelFileWriter writer(std::move(*header), std::move(tensors));
  const auto image = writer.image();
  return Bytes(std::string(reinterpret_cast<const char*>(image.bytes.data()), image.bytes.size()));
}

std::string open_error(const Bytes& bytes, bool verify = false) {
  return error_of([&] { Model::from_memory(bytes.all(), "forged", {.verify = verify}); });
}

/// Empty where the file verifies.
std::string verify_error(const Bytes& bytes) {
  try {
    Model::from_memory(bytes.all(), "forged", {.verify = true});
  } catch (const kinglet::Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

size_t tensor_index(const fbs::ModelT& header, const std::string& name) {
  for (size_t i = 0; i < header.tensors.size(); ++i) {
    if (header.tensors[i]->name == name) return i;
  }
  FAIL("no tensor " << name);
  return 0;
}

/// Rewrites the header's own checksum after its bytes were changed in place.
void seal(Bytes& bytes) {
  uint32_t size = 0;
  std::memcpy(&size, bytes.data(), 4);
  const auto checksum = kinglet::formats::checksum_of(bytes.first(4 + size));
  std::memcpy(bytes.data() + 4 + size, &checksum, sizeof checksum);
}

}  // namespace

TEST_CASE("the tiny model opens, verifies, and keeps its bytes through the writer") {
  const Bytes bytes(tiny_model());
  const Model model = Model::from_memory(bytes.all(), "tiny", {.verify = true});
  CHECK(model.numeric_count() == 73);
  CHECK(model.flag_count() == 12);
  CHECK(model.category_count() == 3);
  const Bytes again = forged([](fbs::ModelT&, auto&) {});
  CHECK(again.size() == bytes.size());
  CHECK(std::memcmp(again.all().data(), bytes.all().data(), bytes.size()) == 0);
}

TEST_CASE("every truncation of a model file is refused") {
  const Bytes bytes(tiny_model());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::string message = error_of([&] { Model::from_memory(bytes.first(size), "cut"); });
    if (message.rfind("cut: ", 0) != 0) FAIL("at " << size << ": " << message);
  }
}

TEST_CASE("every flipped bit of the header is refused") {
  Bytes bytes(tiny_model());
  const uint64_t header = ModelFile(bytes.all(), "tiny").header_length();
  for (size_t at = 0; at < header; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes.data()[at] ^= std::byte(1 << bit);
      const std::string message = open_error(bytes);
      if (message.rfind("forged: ", 0) != 0) FAIL("byte " << at << ", bit " << bit << ": " << message);
      bytes.data()[at] ^= std::byte(1 << bit);
    }
  }
}

TEST_CASE("every flipped byte of the tensors, and of the gaps between them, fails verification") {
  Bytes bytes(tiny_model());
  const uint64_t header = ModelFile(bytes.all(), "tiny").header_length();
  for (size_t at = header; at < bytes.size(); at += 37) {
    bytes.data()[at] ^= std::byte{0x10};
    const std::string message = error_of([&] { ModelFile(bytes.all(), "forged").verify_tensors(); });
    if (!contains(message, "checksum mismatch") && !contains(message, "expected zeros"))
      FAIL("byte " << at << ": " << message);
    bytes.data()[at] ^= std::byte{0x10};
  }
}

TEST_CASE("another identifier, a newer version and a file of another length are named") {
  Bytes bytes(tiny_model());
  bytes.data()[8] = std::byte{'X'};
  CHECK(contains(open_error(bytes), "expected the file identifier 'KNGL'"));
  CHECK(contains(error_of([] {
                   Bytes text(std::string(500, 'x'));
                   Model::from_memory(text.all(), "text");
                 }),
                 "identifier"));

  Bytes newer(tiny_model());
  auto* header = fbs::GetMutableModel(newer.data() + 4);
  REQUIRE(header->mutate_format_version(4));
  seal(newer);
  CHECK(contains(open_error(newer), "format version 4, but this build reads versions 1 to 3"));

  CHECK(contains(open_error(Bytes(tiny_model() + std::string(64, '\0'))), "bytes, it has"));
}

TEST_CASE("a tensor's length, offset or shape that does not fit is refused behind a right checksum") {
  const auto mutated = [](const std::function<void(fbs::Tensor&)>& change) {
    Bytes bytes(tiny_model());
    auto* header = fbs::GetMutableModel(bytes.data() + 4);
    change(*header->mutable_tensors()->GetMutableObject(3));
    seal(bytes);
    return open_error(bytes);
  };
  CHECK(contains(mutated([](fbs::Tensor& t) { t.mutate_length(t.length() + 4); }), "but its shape needs"));
  CHECK(contains(mutated([](fbs::Tensor& t) { t.mutate_length(~uint64_t{0}); }), "but its shape needs"));
  CHECK(contains(mutated([](fbs::Tensor& t) { t.mutate_offset(t.offset() + 64); }), "offset"));
  CHECK(contains(mutated([](fbs::Tensor& t) { t.mutate_offset(t.offset() + 1); }), "offset"));
  CHECK(contains(mutated([](fbs::Tensor& t) { t.mutate_offset(uint64_t{1} << 63); }), "offset"));
  CHECK(contains(mutated([](fbs::Tensor& t) { t.mutable_shape()->Mutate(0, 1'000); }),
                 "tensor hidden1.shift: "));
  CHECK(contains(mutated([](fbs::Tensor& t) { t.mutable_shape()->Mutate(0, ~uint64_t{0}); }), "tensor "));
  CHECK(contains(mutated([](fbs::Tensor& t) { t.mutable_shape()->Mutate(0, 0); }), "a dimension is 0"));
  CHECK(contains(mutated([](fbs::Tensor& t) { t.mutate_type(static_cast<fbs::ElementType>(9)); }),
                 "unknown element type"));
  CHECK(contains(mutated([](fbs::Tensor& t) { t.mutate_packing(static_cast<fbs::Packing>(9)); }),
                 "unknown packing"));
}

TEST_CASE("a plan or layout whose names, widths or rows do not fit is refused") {
  const auto refused = [](const std::function<void(fbs::ModelT&)>& change) {
    return open_error(forged([&](fbs::ModelT& header, Tensors&) { change(header); }));
  };
  CHECK(contains(refused([](fbs::ModelT& m) { m.plan->steps[1]->input = "nowhere"; }),
                 "no value named 'nowhere'"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.plan->steps[1]->input = "logits"; }), "before it"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.plan->steps[1]->weights = "none"; }),
                 "no tensor named 'none'"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.plan->steps[1]->weights = "codebook"; }),
                 "expected float weights"));
  CHECK(
      contains(refused([](fbs::ModelT& m) { m.plan->steps[1]->bias = "logits.bias"; }), "expected 5 floats"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.plan->steps[1]->bias.clear(); }), "weights without a bias"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.plan->steps[1]->slope = std::bit_cast<float>(0x7F800000U); }),
                 "slope"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.plan->steps[2]->name = "hidden2"; }), "stands twice"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.plan->output = "hidden4"; }), "one logit a target"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.plan->blocks[1]->offset = 64; }), "side by side"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.plan->blocks.clear(); }), "fill the rows"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.plan->rows = "codebook"; }), "table of rows"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->sketch->first_row = ~uint64_t{0}; }),
                 "outside the table"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->sketch->width = 4'000'000'000; }), "implausible"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->sketch->depth = 3; }),
                 "one u16 code a token and depth"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->numerics[7]->first_row = 1'000'000; }),
                 "outside the table"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->numerics[7]->encoding = 4; }), "no encoding"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->encodings[0]->scales[0] = 3; }), "powers of two"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->encodings[0]->scales[0] = 0.25; }), "powers of two"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->flags[0]->first_row = ~uint64_t{0}; }),
                 "outside the table"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->embeddings[1]->categories = 23; }), "at least 24"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->embeddings[0]->categories = 4'000'000; }),
                 "outside the table"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.languages[0]->category = 0xFFFFFFFF; }), "categories"));
  CHECK(
      contains(refused([](fbs::ModelT& m) { m.languages[0]->name = m.languages[1]->name; }), "stands twice"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.tensors[1]->name = m.tensors[0]->name; }), "stands twice"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.targets.pop_back(); }), "expected the targets"));
  for (const char* unknown : {"fp4", "", "FP32", "fp", "bf16 "})
    CHECK(contains(refused([unknown](fbs::ModelT& m) { m.precision = unknown; }), "unknown to this build"));
}

TEST_CASE("values that are not finite, codes beyond the width and wrong self-test bits fail verification") {
  const float nan = std::bit_cast<float>(0x7FC00000U);
  const float infinity = std::bit_cast<float>(0xFF800000U);
  for (const float bad : {nan, infinity}) {
    const Bytes bytes = forged([&](fbs::ModelT& header, auto& tensors) {
      std::memcpy(tensors[tensor_index(header, "hidden3.weights")].data() + 8, &bad, 4);
    });
    CHECK(contains(open_error(bytes, true), "tensor hidden3.weights: holds a value that is not finite"));
    Model::from_memory(bytes.all(), "forged");  // opening alone is constant-time: it does not look
  }
  const Bytes wrong_code = forged([](fbs::ModelT& header, auto& tensors) {
    tensors[tensor_index(header, "codebook")][2] = std::byte{200};
  });
  CHECK(contains(open_error(wrong_code, true), "codebook, token 0"));
  const Bytes wrong_bits = forged([](fbs::ModelT& header, auto&) { header.self_tests[5]->logits[2] ^= 1; });
  CHECK(contains(open_error(wrong_bits, true), "self-test 5"));
  const Bytes wrong_request =
      forged([](fbs::ModelT& header, auto&) { header.self_tests[1]->numerics.pop_back(); });
  CHECK(contains(open_error(wrong_request, true), "self-test 1"));
}

TEST_CASE("a model in huge pages has the bits of the mapped file, which it no longer needs") {
  const TempDir dir;
  const auto path = dir / "model.kinglet";
  kinglet::test::write_file(path, tiny_skeleton());
  const Model mapped = Model::open(path);
  const Model copied = Model::open(path, {.verify = true, .huge_pages = true});
  CHECK(mapped.warm_up() == tiny_skeleton().size());
  CHECK(copied.warm_up() == tiny_skeleton().size());
  CHECK(copied.file().path() == path.string());
  // The copy has memory of its own: it does not see the file change.
  kinglet::test::write_file(dir / "other", std::string(tiny_skeleton().size(), 'x'));
  std::filesystem::rename(dir / "other", path);
  copied.verify();
  CHECK(std::memcmp(copied.file().bytes().data(), tiny_skeleton().data(), tiny_skeleton().size()) == 0);
  CHECK(reinterpret_cast<uintptr_t>(copied.file().bytes().data()) % (1U << 21) == 0);
  CHECK(contains(error_of([&] { Model::open(path, {.huge_pages = true}); }), "expected the file identifier"));
}

TEST_CASE("format version 1, without what version 2 brought, is still read") {
  // What version 1 knew: every feature's rows in one table, each added whatever its value.
  const Bytes old = forged([](fbs::ModelT& m, Tensors& tensors) {
    auto* bias = reinterpret_cast<float*>(tensors[tensor_index(m, "first_layer.bias")].data());
    const auto* rows = reinterpret_cast<const float*>(tensors[tensor_index(m, "first_layer.rows")].data());
    const uint64_t stride = m.tensors[tensor_index(m, "first_layer.rows")]->padded_columns;
    constexpr uint64_t kScales = 8;
    for (const auto& numeric : m.layout->numerics) {
      numeric->scope = fbs::Scope::pair;
      for (uint64_t k = kScales; k < 2 * kScales; ++k) {  // the cosines of 0
        for (uint64_t o = 0; o < stride; ++o) bias[o] -= rows[(numeric->first_row + k) * stride + o];
      }
    }
    m.layout->zero_in_bias = false;
    m.self_tests.clear();
  });
  Bytes version1(std::string(reinterpret_cast<const char*>(old.all().data()), old.size()));
  REQUIRE(fbs::GetMutableModel(version1.data() + 4)->mutate_format_version(1));
  seal(version1);
  const Bytes today(tiny_model());
  kinglet::Session old_session(Model::from_memory(version1.all(), "version 1"));
  kinglet::Session session(Model::from_memory(today.all(), "version 2"));
  const std::vector<double> numerics(session.model().numeric_count(), 3);
  const std::vector<uint32_t> tokens = {1, 2, 3, 4};
  const std::vector<uint32_t> categories(session.model().category_count(), 0);
  kinglet::Scores old_scores;
  kinglet::Scores scores;
  REQUIRE(old_session.score({tokens, numerics, 5, categories}, old_scores) == kinglet::Status::ok);
  REQUIRE(session.score({tokens, numerics, 5, categories}, scores) == kinglet::Status::ok);
  for (size_t i = 0; i < kinglet::kTargets; ++i) {
    // Two orders of some 1,200 rounded sums of values around 1.
    CHECK(std::fabs(old_scores.logits[i] - scores.logits[i]) < 1e-4F);
  }
}

TEST_CASE("the tiny skeleton opens, verifies, and keeps its bytes through the writer") {
  const Bytes bytes(tiny_skeleton());
  const Model model = Model::from_memory(bytes.all(), "tiny", {.verify = true});
  CHECK(model.file().header().plan()->name()->str() == "skeleton2");
  const Bytes again = forged([](fbs::ModelT&, auto&) {}, tiny_skeleton());
  REQUIRE(again.size() == bytes.size());
  CHECK(std::memcmp(again.all().data(), bytes.all().data(), bytes.size()) == 0);
}

TEST_CASE("flips behind the last unit, whose columns are not there, are refused") {
  const auto with = [](size_t behind, float value) {
    return forged(
        [&](fbs::ModelT& m, Tensors& tensors) {
          const size_t at = tensor_index(m, "flips1.scale");
          const uint64_t unit = m.tensors[at]->shape[0] + behind;
          REQUIRE(unit < m.tensors[at]->padded_columns);
          std::memcpy(tensors[at].data() + unit * sizeof value, &value, sizeof value);
        },
        tiny_skeleton());
  };
  for (const size_t behind : {0, 1}) {
    CHECK(contains(open_error(with(behind, -1.0F)), "expected zeros behind the last unit of flip_scale"));
    CHECK(
        contains(open_error(with(behind, std::numeric_limits<float>::quiet_NaN())), "expected zeros behind"));
    Model::from_memory(with(behind, 0.0F).all(), "forged");
  }
}

TEST_CASE("a dense way that does not fit its columns is refused") {
  const auto way = [](fbs::ModelT& header, const std::string& step) -> fbs::DenseWayT& {
    for (auto& found : header.plan->steps) {
      if (found->name == step) return *found->dense_way;
    }
    FAIL("no step " << step);
    return *header.plan->steps.front()->dense_way;
  };
  const auto refused = [&](const std::function<void(fbs::ModelT&)>& change) {
    return open_error(forged([&](fbs::ModelT& header, Tensors&) { change(header); }, tiny_skeleton()));
  };
  CHECK(verify_error(forged(
                         [&](fbs::ModelT& m, Tensors&) {
                           CHECK(way(m, "flips1").carried_scale.empty());
                           CHECK(!way(m, "flips2").carried_scale.empty());
                         },
                         tiny_skeleton()))
            .empty());
  CHECK(contains(refused([&](fbs::ModelT& m) { way(m, "flips1").limit = 5; }),
                 "step flips1: a dense way that no request can take"));
  CHECK(contains(refused([&](fbs::ModelT& m) {
                   for (auto& step : m.plan->steps) {
                     if (step->name == "hidden1")
                       step->dense_way = std::make_unique<fbs::DenseWayT>(way(m, "flips2"));
                   }
                 }),
                 "step hidden1: a dense way belongs to columns"));
  CHECK(contains(refused([&](fbs::ModelT& m) { way(m, "flips1").weights = "nowhere"; }),
                 "no tensor named 'nowhere'"));
  CHECK(contains(refused([&](fbs::ModelT& m) { way(m, "flips1").weights = "flips1.columns"; }),
                 "step flips1: expected float weights in panels"));
  CHECK(contains(refused([&](fbs::ModelT& m) {
                   way(m, "flips1").weights = "logits.weights";
                   way(m, "flips1").weights_scale.clear();
                   way(m, "flips1").weights_sums.clear();
                 }),
                 "step flips1: a dense way to another width than the next block's"));
  CHECK(contains(refused([&](fbs::ModelT& m) { way(m, "flips1").weights_scale.clear(); }),
                 "step flips1: 8-bit weights have a scale and sums"));
  CHECK(contains(refused([&](fbs::ModelT& m) { way(m, "flips1").weights_sums = "flips1.scale"; }),
                 "step flips1: expected one 32-bit sum of weights an output"));
  for (const auto field :
       {&fbs::DenseWayT::flip_scale, &fbs::DenseWayT::carried_scale, &fbs::DenseWayT::residual_scale}) {
    CHECK(contains(refused([&](fbs::ModelT& m) { way(m, "flips2").*field = "logits.bias"; }),
                   "step flips2: tensor logits.bias: expected 5 floats"));
  }
  CHECK(contains(refused([&](fbs::ModelT& m) { way(m, "flips2").carried_scale.clear(); }),
                 "dense ways: a change is not carried on by the step with columns that follows"));
  CHECK(contains(refused([&](fbs::ModelT& m) {
                   for (auto& step : m.plan->steps) {
                     if (step->name == "flips2") step->dense_way.reset();
                   }
                 }),
                 "dense ways: a change is not carried on by the step with columns that follows"));
  CHECK(contains(refused([&](fbs::ModelT& m) { std::swap(m.plan->steps[0], m.plan->steps[1]); }),
                 "dense ways: a change is carried on by no step"));
  // Without any, columns do, as in files of before.
  const Bytes plain = forged(
      [&](fbs::ModelT& m, Tensors&) {
        for (auto& step : m.plan->steps) step->dense_way.reset();
      },
      tiny_skeleton());
  CHECK_NOTHROW(Model::from_memory(plain.all(), "plain"));
}

TEST_CASE("columns, tables of values and 8-bit layers that do not fit are refused") {
  const auto refused = [](const std::function<void(fbs::ModelT&)>& change) {
    return open_error(forged([&](fbs::ModelT& header, Tensors&) { change(header); }, tiny_skeleton()));
  };
  const auto step = [](fbs::ModelT& m, const std::string& name) -> fbs::StepT& {
    for (const auto& candidate : m.plan->steps) {
      if (candidate->name == name) return *candidate;
    }
    FAIL("no step " << name);
    return *m.plan->steps[0];
  };
  const auto frequent = [](fbs::ModelT& m) -> fbs::NumericT& {
    for (const auto& numeric : m.layout->numerics) {
      if (numeric->table_values.size() > 1) return *numeric;
    }
    FAIL("no frequent values");
    return *m.layout->numerics[0];
  };
  // The sign skeleton's columns. Those of layer 1 reach over two blocks, behind layer 2 only one is left.
  CHECK(contains(refused([&](fbs::ModelT& m) {
                   step(m, "flips2").columns = "flips1.columns";
                   step(m, "flips2").columns_scale = "flips1.columns.scale";
                 }),
                 "step flips2: its columns reach beyond the rows' width"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "flips1").columns = "codebook"; }),
                 "step flips1: expected a row of columns a unit"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "flips1").columns = "sketch.rows"; }),
                 "step flips1: expected a row of columns a unit"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "flips1").columns = "flips1.scale"; }),
                 "step flips1: expected a row of columns a unit"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "flips1").columns = "nowhere"; }),
                 "no tensor named 'nowhere'"));
  CHECK(contains(refused([&](fbs::ModelT& m) {
                   step(m, "flips1").columns.clear();
                   step(m, "flips1").columns_scale.clear();
                 }),
                 "step flips1: columns and flip_scale go together"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "flips1").flip_scale.clear(); }),
                 "step flips1: columns and flip_scale go together"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "flips1").flip_scale = "logits.bias"; }),
                 "step flips1: tensor logits.bias: expected 5 floats"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "flips2").input = "flips1"; }),
                 "step flips2: columns belong to a block"));
  CHECK(contains(refused([&](fbs::ModelT& m) {
                   step(m, "flips1").weights = "hidden4.weights";
                   step(m, "flips1").weights_scale = "hidden4.weights.scale";
                   step(m, "flips1").weights_sums = "hidden4.weights.sums";
                   step(m, "flips1").bias = "hidden4.bias";
                 }),
                 "step flips1: columns belong to a block, without weights"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "flips1").columns_scale.clear(); }),
                 "step flips1: columns of integers have a scale"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "flips2").columns_scale = "flips1.columns.scale"; }),
                 "step flips2: tensor flips1.columns.scale: expected 64 floats"));
  // Behind the last block there is no room for columns.
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "flips2").input = "sum3"; }),
                 "step flips2: its columns reach beyond"));

  // Rows of frequent values.
  CHECK(contains(
      refused([&](fbs::ModelT& m) { std::swap(frequent(m).table_values[0], frequent(m).table_values[1]); }),
      "ascending order"));
  CHECK(contains(refused([&](fbs::ModelT& m) { frequent(m).table_values[1] = frequent(m).table_values[0]; }),
                 "ascending order"));
  CHECK(contains(refused([&](fbs::ModelT& m) { frequent(m).table_values.back() = 0x1p37; }),
                 "ascending order"));
  CHECK(contains(refused([&](fbs::ModelT& m) { frequent(m).table_values[0] = -0x1p37; }), "ascending order"));
  CHECK(contains(refused([&](fbs::ModelT& m) {
                   frequent(m).table_values.back() = std::bit_cast<double>(0x7FF8'0000'0000'0000U);
                 }),
                 "ascending order"));
  CHECK(contains(refused([&](fbs::ModelT& m) { frequent(m).table_first_row = 1'000'000; }),
                 "outside the tables"));

  // Tables of rows by type.
  CHECK(contains(refused([&](fbs::ModelT& m) { m.plan->rows_scale.clear(); }),
                 "rows sketch.rows: rows of integers have a scale"));
  CHECK(contains(refused([&](fbs::ModelT& m) { m.plan->more_rows[1]->scale.clear(); }),
                 "rows feature.rows: rows of integers have a scale"));
  CHECK(contains(refused([&](fbs::ModelT& m) { m.plan->more_rows[1]->scale = "logits.bias"; }),
                 "rows feature.rows: tensor logits.bias: expected 192 floats"));
  CHECK(contains(refused([&](fbs::ModelT& m) { m.plan->more_rows[0]->rows = "flips2.columns"; }),
                 "rows flips2.columns: implausible width"));
  CHECK(contains(refused([&](fbs::ModelT& m) { m.plan->more_rows[0]->rows = "codebook"; }),
                 "rows codebook: expected a table of rows"));
  CHECK(contains(refused([&](fbs::ModelT& m) { m.plan->more_rows.clear(); }), "outside the tables"));
  CHECK(contains(refused([&](fbs::ModelT& m) {
                   m.layout->numerics[3]->first_row = m.layout->sketch->depth * m.layout->sketch->width - 1;
                 }),
                 "outside the tables"));
  // Encoded values among rows that count once: units are no counts.
  CHECK(contains(
      refused([&](fbs::ModelT& m) { m.layout->numerics[3]->first_row = m.layout->flags[0]->first_row; }),
      "expected a table of their own for encoded values"));
  CHECK(contains(
      open_error(forged(
          [](fbs::ModelT& m, Tensors&) { m.layout->sketch->first_row = m.layout->embeddings[0]->first_row; },
          tiny_model_in(Precision::mixed))),
      "sketch: expected rows of floats, of 8-bit or of 4-bit integers"));
  CHECK(contains(refused([&](fbs::ModelT& m) { m.layout->flags[1]->scope = static_cast<fbs::Scope>(7); }),
                 "unknown scope"));
  CHECK(contains(refused([&](fbs::ModelT& m) {
                   for (int i = 0; i < 60; ++i) {
                     m.layout->numerics.push_back(std::make_unique<fbs::NumericT>(*m.layout->numerics[0]));
                     m.layout->numerics.back()->name = "more" + std::to_string(i);
                   }
                 }),
                 "too many encoded values for 8-bit rows"));
  CHECK(contains(open_error(forged([](fbs::ModelT& m, Tensors&) { m.plan->rows_scale = "hidden1.scale"; })),
                 "rows first_layer.rows: rows of integers have a scale, others none"));

  // Dense layers in 8 bits.
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "hidden4").weights_sums.clear(); }),
                 "step hidden4: 8-bit weights have a scale and sums"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "hidden4").weights_scale.clear(); }),
                 "step hidden4: 8-bit weights have a scale and sums"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "hidden4").weights_sums = "hidden4.bias"; }),
                 "step hidden4: expected one 32-bit sum of weights an output"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "logits").weights_sums = "hidden4.weights.sums"; }),
                 "step logits: 8-bit weights have a scale and sums, others none"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "logits").wide_share = 16; }),
                 "step logits: a share of wide inputs belongs to 8-bit weights"));
  CHECK(contains(refused([&](fbs::ModelT& m) { step(m, "hidden1").wide_share = 16; }),
                 "step hidden1: a share of wide inputs belongs to 8-bit weights"));
}

TEST_CASE("8-bit weights of another panel, and -128 in 8-bit tensors, are refused") {
  const auto resize = [](fbs::ModelT& m, Tensors& tensors, uint32_t panel) {
    const size_t at = tensor_index(m, "hidden4.weights");
    m.tensors[at]->panel = panel;
    tensors[at].resize((5 + panel - 1) / panel * panel * 8);  // 5 inputs take two quads
  };
  for (const uint32_t panel : {8, 16, 64}) {
    CAPTURE(panel);
    const Bytes bytes =
        forged([&](fbs::ModelT& m, Tensors& tensors) { resize(m, tensors, panel); }, tiny_skeleton());
    CHECK(
        contains(open_error(bytes), "step hidden4: expected float weights in panels of 32 or 16, or 8-bit"));
  }
  const Bytes unpacked = forged(
      [](fbs::ModelT& m, Tensors&) {
        m.tensors[tensor_index(m, "sketch.rows")]->packing = fbs::Packing::quads;
        m.tensors[tensor_index(m, "sketch.rows")]->panel = 1;
      },
      tiny_skeleton());
  CHECK(contains(open_error(unpacked), "rows sketch.rows: expected a table of rows"));
  for (const char* name : {"sketch.rows", "hidden4.weights", "flips2.columns"}) {
    CAPTURE(name);
    const Bytes bytes =
        forged([&](fbs::ModelT& m, Tensors& tensors) { tensors[tensor_index(m, name)][3] = std::byte{0x80}; },
               tiny_skeleton());
    CHECK(contains(open_error(bytes, true), std::string("tensor ") + name + ": holds -128"));
  }
  // -32768 is nothing special: 16-bit rows are widened before they are multiplied.
  const Bytes smallest = forged(
      [](fbs::ModelT& m, Tensors& tensors) {
        tensors[tensor_index(m, "feature.rows")][0] = std::byte{0x00};
        tensors[tensor_index(m, "feature.rows")][1] = std::byte{0x80};
      },
      tiny_model_in(Precision::mixed));
  CHECK(!contains(verify_error(smallest), "holds"));
}

TEST_CASE(
    "8-bit rows of encoded values one by one, as they were written before bundles, give the same bits") {
  const Bytes good = forged(
      [](fbs::ModelT& m, Tensors& tensors) {
        const size_t at = tensor_index(m, "encoded.rows");
        fbs::TensorT& tensor = *m.tensors[at];
        REQUIRE(tensor.packing == fbs::Packing::bundles);
        const uint64_t columns = tensor.shape[1];
        std::vector<std::byte> rows(tensors[at].size());
        size_t i = 0;  // as [rows / 16][columns / 32][4][32][4]
        for (uint64_t bundle = 0; bundle < tensor.shape[0] / 16; ++bundle) {
          for (uint64_t panel = 0; panel < columns / 32; ++panel) {
            for (uint64_t quad = 0; quad < 4; ++quad) {
              for (uint64_t column = 0; column < 32; ++column) {
                for (uint64_t row = 0; row < 4; ++row)
                  rows[(bundle * 16 + quad * 4 + row) * columns + panel * 32 + column] = tensors[at][i++];
              }
            }
          }
        }
        tensors[at] = std::move(rows);
        tensor.packing = fbs::Packing::rows;
        tensor.panel = 0;
      },
      tiny_skeleton());
  CHECK(verify_error(good).empty());  // the self-tests' bits among others
}

TEST_CASE("bundles are whole, of 8-bit rows of one number each, and of padded columns") {
  const auto refused = [](const std::function<void(fbs::ModelT&)>& change) {
    return open_error(forged([&](fbs::ModelT& m, Tensors&) { change(m); }, tiny_skeleton()));
  };
  const auto encoded = [](fbs::ModelT& m) -> fbs::TensorT& {
    return *m.tensors[tensor_index(m, "encoded.rows")];
  };
  for (const uint32_t panel : {0U, 2U, 6U, 24U, 4'100U}) {
    CAPTURE(panel);
    CHECK(contains(refused([&](fbs::ModelT& m) { encoded(m).panel = panel; }),
                   "tensor encoded.rows: expected whole bundles"));
  }
  CHECK(contains(refused([&](fbs::ModelT& m) { encoded(m).shape = {encoded(m).shape[0]}; }),
                 "packing bundles needs the shape [rows, columns]"));
  CHECK(contains(refused([&](fbs::ModelT& m) { encoded(m).padded_columns += 64; }),
                 "expected bundles of whole panels of 32 columns"));
  CHECK(contains(refused([&](fbs::ModelT& m) {
                   encoded(m).shape = {encoded(m).shape[0] * 2, encoded(m).shape[1] / 2};
                   encoded(m).padded_columns /= 2;
                 }),
                 "rows encoded.rows"));
  CHECK(contains(refused([&](fbs::ModelT& m) { encoded(m).type = fbs::ElementType::s4; }),
                 "expected 4-bit integers in rows"));
  CHECK(contains(open_error(forged(
                     [&](fbs::ModelT& m, Tensors& tensors) {
                       encoded(m).type = fbs::ElementType::s16;
                       tensors[tensor_index(m, "encoded.rows")].resize(2 * encoded(m).shape[0] *
                                                                       encoded(m).shape[1]);
                     },
                     tiny_skeleton())),
                 "rows encoded.rows: expected a table of rows"));
  // Bundles of another size, or begun in the middle.
  for (const uint32_t panel : {4U, 8U}) {
    CAPTURE(panel);
    CHECK(contains(refused([&](fbs::ModelT& m) { encoded(m).panel = panel; }),
                   "expected a bundle of " + std::to_string(panel) + " rows"));
  }
  for (const uint64_t more : {1, 4}) {
    CHECK(contains(refused([&](fbs::ModelT& m) { m.layout->numerics[0]->first_row += more; }),
                   "expected a bundle of 16 rows"));
  }
  // Single rows of a bundle: a flag's, a category's, a value's, the sketch's, a step's columns.
  constexpr const char* kAlone = "rows in bundles are for encoded values alone";
  CHECK(contains(
      refused([](fbs::ModelT& m) { m.layout->flags[2]->first_row = m.layout->numerics[0]->first_row; }),
      kAlone));
  CHECK(contains(
      refused([](fbs::ModelT& m) { m.layout->embeddings[1]->first_row = m.layout->numerics[0]->first_row; }),
      kAlone));
  CHECK(contains(
      refused([](fbs::ModelT& m) { m.layout->sketch->first_row = m.layout->numerics[0]->first_row; }),
      kAlone));
  CHECK(contains(refused([](fbs::ModelT& m) {
                   for (auto& numeric : m.layout->numerics)
                     if (!numeric->table_values.empty()) numeric->table_first_row = numeric->first_row;
                 }),
                 kAlone));
  CHECK(contains(refused([](fbs::ModelT& m) { m.plan->steps[0]->columns = "encoded.rows"; }),
                 "expected a row of columns a unit"));
}

TEST_CASE("a token mean needs a vector a token and rows for it, and no sketch") {
  Model::from_memory(Bytes(tiny_mean()).all(), "mean", {.verify = true});
  const auto refused = [](const std::function<void(fbs::ModelT&)>& change,
                          const std::string& model = tiny_mean()) {
    return open_error(forged([&](fbs::ModelT& m, Tensors&) { change(m); }, model));
  };
  for (const uint32_t dimensions : {0U, 16'385U, ~0U}) {
    CHECK(contains(refused([&](fbs::ModelT& m) { m.layout->token_mean->dimensions = dimensions; }),
                   "token mean: expected 1 to 16384 dimensions"));
  }
  for (const uint32_t dimensions : {7U, 9U}) {
    CHECK(contains(refused([&](fbs::ModelT& m) { m.layout->token_mean->dimensions = dimensions; }),
                   "codebook: expected an f32 vector of " + std::to_string(dimensions) + " dimensions"));
  }
  for (const char* tensor : {"hidden2.bias", "hidden2.weights", "first_layer.rows"}) {
    CAPTURE(tensor);
    CHECK(
        contains(refused([&](fbs::ModelT& m) { m.codebook = tensor; }), "codebook: expected an f32 vector"));
  }
  CHECK(contains(refused([](fbs::ModelT& m) { m.codebook = "nowhere"; }), "no tensor named 'nowhere'"));
  for (const uint64_t first : {uint64_t{1'000'000}, ~uint64_t{0}}) {
    CHECK(contains(refused([&](fbs::ModelT& m) { m.layout->token_mean->first_row = first; }),
                   "token mean: its rows lie outside the tables"));
  }
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->sketch->depth = 2; }), "no sketch beside it"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->sketch->width = 4; }), "no sketch beside it"));
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->sketch->token_rows = "hidden2.bias"; }),
                 "no sketch beside it"));
  // Vectors where codes are expected, and the other way round: as an engine that knows no mean sees them.
  CHECK(contains(refused([](fbs::ModelT& m) { m.layout->token_mean.reset(); }),
                 "codebook: expected one u16 code a token and depth"));
  const auto with_mean = [](fbs::ModelT& m) {
    m.layout->token_mean = std::make_unique<fbs::TokenMeanT>();
    m.layout->token_mean->dimensions = 2;
    m.layout->sketch->depth = 0;
    m.layout->sketch->width = 0;
  };
  CHECK(contains(refused(with_mean, tiny_model()), "codebook: expected an f32 vector of 2 dimensions"));
  // A mean's weights are no counts.
  const Bytes eight_bits = forged(
      [](fbs::ModelT& m, Tensors& tensors) {
        const size_t at = tensor_index(m, "codebook");
        m.tensors[at]->type = fbs::ElementType::f32;
        m.tensors[at]->shape[1] = m.tensors[at]->padded_columns = 2;
        tensors[at].assign(m.tensors[at]->shape[0] * 8, std::byte{0});
        m.layout->token_mean = std::make_unique<fbs::TokenMeanT>();
        m.layout->token_mean->dimensions = 2;
        m.layout->sketch->depth = 0;
        m.layout->sketch->width = 0;
      },
      tiny_skeleton());
  CHECK(contains(open_error(eight_bits), "token mean: expected rows of floats or of 16 bits"));
}

TEST_CASE("token rows need one norm a tweet, one number a token, and rows that take weights") {
  const auto refused = [](fbs::SketchNorm norm, const std::string& tensor, uint64_t first_row,
                          const std::string& model) {
    return open_error(forged(
        [&](fbs::ModelT& m, Tensors&) {
          m.layout->sketch->norm = norm;
          m.layout->sketch->token_rows = tensor;
          m.layout->sketch->token_first_row = first_row;
        },
        model));
  };
  CHECK(contains(refused(fbs::SketchNorm::row, "hidden4.weights.sums", 8, tiny_skeleton()),
                 "token rows: expected one norm a tweet"));
  for (const char* tensor : {"codebook", "hidden4.weights.sums", "sketch.rows", "hidden4.bias"}) {
    CAPTURE(tensor);
    CHECK(contains(refused(fbs::SketchNorm::tweet, tensor, 8, tiny_skeleton()),
                   "token rows: expected one 32-bit row number a token"));
  }
  CHECK(
      contains(refused(fbs::SketchNorm::tweet, "nowhere", 8, tiny_skeleton()), "no tensor named 'nowhere'"));

  // The right shape: as many numbers as tokens.
  const auto with_numbers = [](const std::string& model, std::optional<uint64_t> first_row) {
    return forged(
        [&](fbs::ModelT& m, Tensors& tensors) {
          auto numbers = std::make_unique<fbs::TensorT>();
          const uint64_t tokens = m.tensors[tensor_index(m, "codebook")]->shape[0];
          numbers->name = "token.rows";
          numbers->type = fbs::ElementType::s32;
          numbers->shape = {tokens};
          numbers->padded_columns = static_cast<uint32_t>(tokens);
          m.tensors.push_back(std::move(numbers));
          tensors.emplace_back(tokens * 4);
          m.layout->sketch->norm = fbs::SketchNorm::tweet;
          m.layout->sketch->token_rows = "token.rows";
          m.layout->sketch->token_first_row = first_row ? *first_row : m.layout->flags[0]->first_row;
        },
        model);
  };
  CHECK(
      contains(open_error(with_numbers(tiny_nibbles(), 0)), "token rows: rows of 4 bits alone and of signs"));
  CHECK(contains(open_error(with_numbers(tiny_skeleton(), 1'000'000)),
                 "token rows: its rows lie outside the tables"));
  for (const auto first_row : {std::optional<uint64_t>(0), std::optional<uint64_t>()}) {
    for (const std::string& model : {tiny_skeleton(), tiny_model_in(Precision::mixed)}) {
      const Bytes good = with_numbers(model, first_row);  // rows of 8 and of 16 bits
      Model::from_memory(good.all(), "forged");
    }
  }
}

TEST_CASE("4-bit rows are for the sketch alone, in whole groups of 64") {
  const auto refused = [](const std::function<void(fbs::ModelT&, Tensors&)>& change) {
    return open_error(forged(change, tiny_nibbles()));
  };
  const Bytes good = forged([](fbs::ModelT&, Tensors&) {}, tiny_nibbles());
  Model::from_memory(good.all(), "forged", {.verify = true});
  // Numbers, flags and embeddings whose rows would be the sketch's.
  // (An encoding of one value: the tiny sketch has fewer rows than a number has encoded values.)
  CHECK(contains(refused([](fbs::ModelT& m, Tensors&) {
                   m.layout->encodings[0]->kind = fbs::EncodingKind::log_steps;
                   m.layout->encodings[0]->scales.clear();
                   m.layout->numerics[0]->first_row = 0;
                 }),
                 "rows of 4 bits alone and of signs are for the sketch"));
  CHECK(contains(refused([](fbs::ModelT& m, Tensors&) { m.layout->flags[0]->first_row = 0; }),
                 "rows of 4 bits alone and of signs are for the sketch"));
  CHECK(contains(refused([](fbs::ModelT& m, Tensors&) { m.layout->embeddings[0]->first_row = 0; }),
                 "rows of 4 bits alone and of signs are for the sketch"));
  CHECK(contains(refused([](fbs::ModelT& m, Tensors&) { m.plan->rows_scale.clear(); }),
                 "rows of integers have a scale"));
  // Other shapes and packings of the same bytes.
  const auto reshaped = [&](uint64_t rows, uint32_t columns, fbs::Packing packing) {
    return refused([&](fbs::ModelT& m, Tensors&) {
      fbs::TensorT& tensor = *m.tensors[tensor_index(m, "sketch.rows")];
      tensor.shape = {rows, columns};
      tensor.padded_columns = columns;
      tensor.packing = packing;
      tensor.panel = packing == fbs::Packing::rows ? 0 : 32;
    });
  };
  CHECK(contains(reshaped(2, 96, fbs::Packing::rows), "expected 4-bit integers in rows of whole groups"));
  CHECK(contains(reshaped(64, 64, fbs::Packing::panels), "expected 4-bit integers in rows of whole groups"));
  CHECK(contains(reshaped(64, 64, fbs::Packing::quads), "expected 4-bit integers in rows of whole groups"));
}

namespace {

/// A stored group of 64 elements of 4 bits.
int nibble_of(const std::byte* stored, uint64_t element) {
  const auto pair = static_cast<int>(stored[element / 64 * 32 + element % 32]);
  return (element % 64 < 32 ? pair & 15 : pair >> 4) - 8;
}

/// A split tensor's rows, but for those of signs, or its bundles as 8-bit ones of the same integers.
void widen(fbs::TensorT& tensor, std::vector<std::byte>& bytes) {
  const uint64_t rows = tensor.packing == fbs::Packing::bundles ? tensor.panel : 1;
  const uint64_t narrow = rows * tensor.narrow;
  const uint64_t wide = rows * (tensor.shape[1] - tensor.narrow);
  std::vector<std::byte> widened;
  for (const std::byte* stored = bytes.data(); stored != bytes.data() + bytes.size();
       stored += narrow / 2 + wide) {
    for (uint64_t e = 0; e < narrow; ++e) widened.push_back(static_cast<std::byte>(nibble_of(stored, e)));
    widened.insert(widened.end(), stored + narrow / 2, stored + narrow / 2 + wide);
  }
  bytes = std::move(widened);
  if (tensor.packing == fbs::Packing::split) tensor.packing = fbs::Packing::rows;
  tensor.narrow = 0;
}

}  // namespace

TEST_CASE("rows and bundles with columns of 4 bits give the bits of 8-bit ones of the same integers") {
  const auto widened = [](const std::string& model, const char* name, fbs::Packing packing, uint64_t blocks) {
    return verify_error(forged(
        [&](fbs::ModelT& m, Tensors& tensors) {
          const size_t at = tensor_index(m, name);
          REQUIRE(m.tensors[at]->packing == packing);
          REQUIRE(m.tensors[at]->narrow_bits == 4);
          REQUIRE(m.tensors[at]->narrow * blocks == m.tensors[at]->shape[1] * (blocks - 1));
          widen(*m.tensors[at], tensors[at]);
        },
        model));  // the self-tests' bits among others
  };
  CHECK(widened(tiny_split(), "sketch.rows", fbs::Packing::split, 3) ==
        "");  // two folded layers, three blocks
  CHECK(widened(tiny_signs(), "feature.rows", fbs::Packing::split, 3).empty());
  CHECK(widened(tiny_signs(), "encoded.rows", fbs::Packing::bundles, 3).empty());
}

TEST_CASE("narrow columns are of rows or bundles of bytes, and in whole groups") {
  const auto refused = [](const std::string& model, const std::function<void(fbs::ModelT&)>& change) {
    return open_error(forged([&](fbs::ModelT& m, Tensors&) { change(m); }, model));
  };
  const auto tensor = [](fbs::ModelT& m, const char* name) -> fbs::TensorT& {
    return *m.tensors[tensor_index(m, name)];
  };
  const auto sketch = [&](fbs::ModelT& m) -> fbs::TensorT& { return tensor(m, "sketch.rows"); };
  for (const uint32_t narrow : {0U, 32U, 96U, 192U, 256U, ~63U}) {
    CAPTURE(narrow);
    CHECK(contains(refused(tiny_split(), [&](fbs::ModelT& m) { sketch(m).narrow = narrow; }),
                   "tensor sketch.rows: expected rows split between two groups of 64 columns"));
  }
  for (const uint32_t narrow : {0U, 64U, 128U, 192U, 320U, 384U, 512U, ~255U}) {
    CAPTURE(narrow);
    CHECK(contains(refused(tiny_signs(), [&](fbs::ModelT& m) { sketch(m).narrow = narrow; }),
                   "expected rows split between two groups of 64 columns, narrow ones of 256"));
  }
  for (const uint8_t bits : {0, 2, 3, 8, 255}) {
    CHECK(contains(refused(tiny_signs(), [&](fbs::ModelT& m) { sketch(m).narrow_bits = bits; }),
                   "tensor sketch.rows: expected narrow columns of 4 bits or of 1"));
  }
  CHECK(
      contains(refused(tiny_split(), [&](fbs::ModelT& m) { sketch(m).narrow = 64; }), "tensor sketch.rows"));
  CHECK(contains(refused(tiny_split(), [&](fbs::ModelT& m) { sketch(m).padded_columns += 64; }),
                 "expected rows split between two groups of 64 columns"));
  constexpr const char* kBytes = "packing split needs the type s8 and the shape [rows, columns]";
  CHECK(contains(refused(tiny_split(), [&](fbs::ModelT& m) { sketch(m).shape.pop_back(); }), kBytes));
  for (const fbs::ElementType type : {fbs::ElementType::f32, fbs::ElementType::s16, fbs::ElementType::s4})
    CHECK(contains(refused(tiny_split(), [&](fbs::ModelT& m) { sketch(m).type = type; }), kBytes));
  // Bundles.
  constexpr const char* kBundles = "tensor encoded.rows: expected bundles of 8 bits, the first groups of 64";
  for (const uint32_t narrow : {32U, 96U, 384U, 448U, ~63U}) {
    CAPTURE(narrow);
    CHECK(contains(refused(tiny_signs(), [&](fbs::ModelT& m) { tensor(m, "encoded.rows").narrow = narrow; }),
                   kBundles));
  }
  CHECK(contains(refused(tiny_signs(), [&](fbs::ModelT& m) { tensor(m, "encoded.rows").narrow_bits = 1; }),
                 kBundles));
  CHECK(contains(
      refused(tiny_signs(), [&](fbs::ModelT& m) { tensor(m, "encoded.rows").type = fbs::ElementType::s16; }),
      kBundles));
  CHECK(contains(refused(tiny_skeleton(), [&](fbs::ModelT& m) { sketch(m).narrow = 64; }),
                 "tensor sketch.rows: this packing has no narrow columns"));
  // Who may have them.
  constexpr const char* kSketch = "rows of 4 bits alone and of signs are for the sketch";
  CHECK(contains(refused(tiny_signs(), [](fbs::ModelT& m) { m.layout->flags[0]->first_row = 0; }), kSketch));
  CHECK(contains(refused(tiny_signs(), [](fbs::ModelT& m) { m.layout->embeddings[0]->first_row = 0; }),
                 kSketch));
  CHECK(
      contains(refused(tiny_signs(), [](fbs::ModelT& m) { m.layout->numerics[0]->first_row = 0; }), kSketch));
  CHECK(contains(refused(tiny_split(), [](fbs::ModelT& m) { m.layout->numerics[0]->first_row = 0; }),
                 "encoded values have no split rows"));
  CHECK(contains(refused(tiny_split(), [](fbs::ModelT& m) { m.plan->steps[0]->columns = "sketch.rows"; }),
                 "expected a row of columns a unit"));
}

TEST_CASE("-128 is refused where columns have 8 bits, and is any byte of narrow ones") {
  const auto with = [](const char* name, bool wide) {
    return verify_error(forged(
        [&](fbs::ModelT& m, Tensors& tensors) {
          const size_t at = tensor_index(m, name);
          REQUIRE(m.tensors[at]->narrow != 0);
          (wide ? tensors[at].back() : tensors[at].front()) = std::byte{0x80};
        },
        tiny_signs()));
  };
  for (const char* name : {"sketch.rows", "feature.rows", "encoded.rows"}) {
    CAPTURE(name);
    CHECK(contains(with(name, true), "holds -128, expected -127 to 127"));
    CHECK(!contains(with(name, false), "holds -128"));
  }
}

TEST_CASE("16-bit floats that are not finite fail verification, and 16-bit tables must be panels and rows") {
  struct Case {
    Precision precision;
    uint16_t infinity;
  };
  for (const Case& half : {Case{Precision::bf16, 0x7F80}, Case{Precision::fp16, 0x7C00}}) {
    const std::string model = tiny_model_in(half.precision);
    const auto with = [&](const std::string& name, uint16_t bits) {
      return open_error(forged(
                            [&](fbs::ModelT& header, auto& tensors) {
                              std::memcpy(tensors[tensor_index(header, name)].data() + 2, &bits, 2);
                            },
                            model),
                        true);
    };
    for (const char* name : {"hidden3.weights", "sketch.rows", "feature.rows"}) {
      for (const int above : {0, 1, 0x8000, 0x8001}) {
        CHECK(contains(with(name, static_cast<uint16_t>(half.infinity + above)),
                       "tensor " + std::string(name) + ": holds a value that is not finite"));
      }
      const auto largest = static_cast<uint16_t>(half.infinity - 1);
      CHECK_FALSE(contains(with(name, largest), "holds a value"));  // but it changes the self-tests' bits
    }
    const auto refused = [&](const std::function<void(fbs::ModelT&)>& change) {
      return open_error(forged([&](fbs::ModelT& header, auto&) { change(header); }, model));
    };
    CHECK(contains(refused([](fbs::ModelT& m) { m.plan->rows_scale = "first_layer.bias"; }),
                   "rows of integers have a scale, others none"));
    CHECK(contains(refused([](fbs::ModelT& m) { m.plan->steps[1]->weights_scale = "hidden2.bias"; }),
                   "8-bit weights have a scale and sums"));
    CHECK(contains(refused([](fbs::ModelT& m) { m.plan->steps[1]->weights = "sketch.rows"; }),
                   "expected float weights"));
    CHECK(contains(refused([](fbs::ModelT& m) { m.plan->rows = "hidden2.weights"; }), "table of rows"));
  }
}

TEST_CASE("a damaged codebook never leads outside the table of rows") {
  const Bytes bytes = forged([](fbs::ModelT& header, auto& tensors) {
    for (std::byte& byte : tensors[tensor_index(header, "codebook")]) byte = std::byte{0xF7};
  });
  const Model model = Model::from_memory(bytes.all(), "forged");
  kinglet::Session session(model);
  const std::vector<uint32_t> tokens = {0, 1, 2, 3, 4, 0xFFFFFFFF, 5};
  const std::vector<double> numerics(model.numeric_count());
  const std::vector<uint32_t> categories(model.category_count());
  kinglet::Scores scores;
  CHECK(session.score({tokens, numerics, 0, categories}, scores) == kinglet::Status::ok);
}

TEST_CASE("files that are missing, empty or something else are named") {
  const TempDir dir;
  kinglet::test::write_file(dir / "empty", "");
  kinglet::test::write_file(dir / "text", std::string(100, 'x'));
  CHECK(contains(error_of([&] { Model::open(dir / "none"); }), "none: cannot open"));
  CHECK(contains(error_of([&] { Model::open(dir / "empty"); }), "empty: the file is empty"));
  CHECK(contains(error_of([&] { Model::open(dir / "text"); }), "text: byte 8: expected the file identifier"));
}
