// Token vectors from every format, and every way to be wrong.

#include "kinglet/converter/token_vectors.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "kinglet/converter/tensors.h"

#include "support/checkpoint_writer.h"
#include "support/support.h"

using namespace kinglet::converter;
using namespace kinglet::test;

namespace {

template <typename Number>
Tensor tensor(ElementType type, std::vector<uint64_t> shape, const std::vector<Number>& values) {
  Tensor made{type, std::move(shape), std::vector<std::byte>(values.size() * sizeof(Number))};
  std::memcpy(made.bytes.data(), values.data(), made.bytes.size());
  return made;
}

const std::vector<float> kValues{1, 2.5F, -3, 0, 0.125F, 1e-8F};

Tensor table() {
  return tensor(ElementType::f32, {3, 2}, kValues);
}

/// Reads bytes as a file would be.
class Reading {
 public:
  TokenVectors read(std::string_view bytes, const std::string& name = {}) {
    write_file(path_, bytes);
    return read_token_vectors(path_, name);
  }
  /// The refusal, without the file's name.
  std::string refusal(std::string_view bytes, const std::string& name = {}) {
    const std::string message = error_of([&] { read(bytes, name); });
    CHECK(message.starts_with(path_.string() + ": "));
    return message.substr(path_.string().size() + 2);
  }

 private:
  TempDir dir_;
  std::filesystem::path path_ = dir_ / "vectors";
};

std::string npy(std::string_view type, std::string_view shape, std::string_view data) {
  return npy_bytes(
      "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': " + std::string(shape) + "}",
      data);
}

std::string bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

}  // namespace

TEST_CASE("token vectors: every format gives the same") {
  Reading file;
  const std::vector<std::string> formats{npy("<f4", "(3, 2)", bytes_of(kValues)),
                                         npz_bytes({{"anything", table()}}),
                                         npz_bytes({{"anything", table()}}, ZipMethod::deflated),
                                         safetensors_bytes({{"anything", table()}}),
                                         torch_zip_bytes({{"anything", table()}}),
                                         "0 1 2.5\n1 -3 0\n2 0.125 1e-8\n",
                                         "3 2\n0 1 2.5\n1 -3 0\n2 0.125 1e-8",
                                         "2\t0.125\t1e-8\r\n0  1 2.5 \r\n1 -3 0\r\n"};
  for (const std::string& bytes : formats) {
    CAPTURE(bytes);
    const TokenVectors vectors = file.read(bytes);
    CHECK(vectors.ids == std::vector<uint32_t>{0, 1, 2});
    CHECK(vectors.dimensions == 2);
    CHECK(vectors.values == kValues);
  }
}

TEST_CASE("token vectors: ids beside the tensor, in any order") {
  Reading file;
  const Tensor ids = tensor<int64_t>(ElementType::i64, {3}, {70, 5, 16'777'215});
  const TokenVectors vectors = file.read(safetensors_bytes({{"ids", ids}, {"vectors", table()}}));
  CHECK(vectors.ids == std::vector<uint32_t>{5, 70, 16'777'215});
  CHECK(vectors.values == std::vector<float>{-3, 0, 1, 2.5F, 0.125F, 1e-8F});
}

TEST_CASE("token vectors: one of several tensors is named; doubles are rounded once") {
  Reading file;
  const Tensor doubles = tensor<double>(ElementType::f64, {1, 2}, {0.1, 1e300});
  const std::string bytes =
      safetensors_bytes({{"a.weight", table()},
                         {"b.weight", tensor<double>(ElementType::f64, {1, 2}, {0.1, -2})},
                         {"c", doubles}});
  CHECK(file.read(bytes, "b.weight").values == std::vector<float>{0.1F, -2});
  CHECK(file.refusal(bytes) ==
        "several tensors have two dimensions ('a.weight', 'b.weight', ...): name the one with the vectors");
  CHECK(file.refusal(bytes, "x") == "no tensor named 'x'");
  CHECK(file.refusal(bytes, "c") == "token 0: expected a finite float in dimension 1");
}

TEST_CASE("token vectors: written and read back") {
  const TempDir dir;
  const TokenVectors vectors{{3, 9}, 3, {1, 2, 3, 4, 5, 6}};
  write_token_vectors(dir / "v", vectors);
  const TokenVectors read = read_token_vectors(dir / "v");
  CHECK(read.ids == vectors.ids);
  CHECK(read.dimensions == 3);
  CHECK(read.values == vectors.values);
}

TEST_CASE("token vectors: text that is wrong") {
  Reading file;
  CHECK(file.refusal("1 2 3\n2 4\n") == "line 2: expected 2 numbers as before, got 1");
  CHECK(file.refusal("1 2 3\n2 4 5 6\n") == "line 2: expected 2 numbers as before, got 3");
  CHECK(file.refusal("1 2 3\n2 4 nan\n") == "line 2: expected a finite number in place 2");
  CHECK(file.refusal("1 2 3\n2 inf 1\n") == "line 2: expected a finite number in place 1");
  CHECK(file.refusal("1 2 3\n2 1e999 1\n") == "line 2: expected a finite number in place 1");
  CHECK(file.refusal("1 2 3\n2 1,5 1\n") == "line 2: expected a finite number in place 1");
  CHECK(file.refusal("1 2 3\nthe 1 1\n") == "line 2: expected a token id of at most 16777215 first");
  CHECK(file.refusal("16777216 2 3\n") == "line 1: expected a token id of at most 16777215 first");
  CHECK(file.refusal("-1 2 3\n") == "line 1: expected a token id of at most 16777215 first");
  CHECK(file.refusal("1 2 3\n\n2 1 1\n") == "line 2: expected a token id of at most 16777215 first");
  CHECK(file.refusal("1\n") == "line 1: expected numbers behind the token id");
  CHECK(file.refusal("7 2 3\n5 1 1\n7 4 4\n") == "token 7 stands twice");
  std::string wide = "1";
  for (size_t number = 0; number <= kMaxVectorDimensions; ++number) wide += " 1";
  CHECK(file.refusal(wide) == "line 1: more than 16384 numbers");
}

TEST_CASE("token vectors: a first line of two numbers is a header only if the next line agrees") {
  Reading file;
  const TokenVectors vectors = file.read("3 2\n4 1\n");
  CHECK(vectors.ids == std::vector<uint32_t>{3, 4});
  CHECK(vectors.values == std::vector<float>{2, 1});
  CHECK(file.read("3 2\n").ids == std::vector<uint32_t>{3});
}

TEST_CASE("token vectors: arrays that are wrong") {
  Reading file;
  CHECK(file.refusal(npy("<i4", "(3, 2)", bytes_of(kValues))) ==
        "expected floats of shape [tokens, dimensions]");
  CHECK(file.refusal(npy("<f4", "(6,)", bytes_of(kValues))) ==
        "expected floats of shape [tokens, dimensions]");
  CHECK(file.refusal(npy("<f4", "(0, 2)", "")) == "expected at least one token vector");
  CHECK(file.refusal(npy("<f4", "(3, 0)", "")) == "expected 1 to 16384 dimensions");
  CHECK(file.refusal(npy("<f4", "(1000000000000, 0)", "")) == "expected 1 to 16384 dimensions");
  CHECK(file.refusal(npy("<f4", "(4, 2)", bytes_of(kValues)))
            .starts_with("expected exactly the bytes of its type and shape"));
  CHECK(file.refusal(npy("<f4", "(3, 2)", bytes_of({1, 2, 3, NAN, 5, 6}))) ==
        "token 1: expected a finite float in dimension 1");
  CHECK(file.refusal(std::string("\x93NUMPY\x01", 7)).find("expected 8 more bytes") != std::string::npos);
  CHECK(file.refusal(safetensors_bytes({{"a", tensor<float>(ElementType::f32, {2}, {1, 2})}})) ==
        "expected a tensor of shape [tokens, dimensions]");
  CHECK(file.refusal(std::string("\x80\x02garbage")).find("expected") != std::string::npos);
}

TEST_CASE("token vectors: ids that are wrong") {
  Reading file;
  const auto with = [](const Tensor& ids) { return safetensors_bytes({{"ids", ids}, {"vectors", table()}}); };
  CHECK(file.refusal(with(tensor<int64_t>(ElementType::i64, {3}, {1, 2, 1}))) == "token 1 stands twice");
  CHECK(file.refusal(with(tensor<int64_t>(ElementType::i64, {3}, {1, 2, -1}))) ==
        "'ids': expected token ids of 0 to 16777215");
  CHECK(file.refusal(with(tensor<uint32_t>(ElementType::u32, {2}, {1, 2}))) ==
        "'ids': expected 3 integers, one a vector");
  CHECK(file.refusal(with(tensor<float>(ElementType::f32, {3}, {1, 2, 3}))) ==
        "'ids': expected 3 integers, one a vector");
}
