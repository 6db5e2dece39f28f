#include "support/npz.h"

#include "converter/checkpoint_bytes.h"
#include "support/checkpoint_writer.h"
#include "support/support.h"

namespace {

using namespace kinglet::converter;
using kinglet::test::checkpoint_of;
using kinglet::test::error_of;
using kinglet::test::npy_bytes;
using kinglet::test::ZipWriter;

std::string npz_of(std::string_view npy) {
  ZipWriter zip;
  zip.add("a.npy", npy);
  return zip.finish();
}

Tensor read(std::string_view header, std::string_view data) {
  return checkpoint_of(npz_of(npy_bytes(header, data))).tensors.at("a");
}

std::string refusal(std::string_view header, std::string_view data = "") {
  return error_of([&] { read(header, data); });
}

std::string header_of(std::string_view descr, std::string_view shape) {
  return "{'descr': " + std::string(descr) + ", 'fortran_order': False, 'shape': " + std::string(shape) +
         "}\n";
}

bool says(const std::string& message, std::string_view words) {
  return message.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("npy headers as NumPy writes them and as it may") {
  CHECK(read("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }      \n", "12").shape ==
        std::vector<uint64_t>{2});
  CHECK(read("{\"shape\":(1,2),\"descr\":\"|u1\",\"fortran_order\":False}", "12").shape ==
        std::vector<uint64_t>{1, 2});
  CHECK(read(header_of("'|u1'", "()"), "1").shape.empty());
  CHECK(read(header_of("'|u1'", "(2, 1,)"), "12").shape == std::vector<uint64_t>{2, 1});
  CHECK(read(header_of("'<f8'", "(0, 18446744073709551615)"), "").elements() == 0);
}

TEST_CASE("npy versions 1, 2 and 3") {
  const std::string header = header_of("'|u1'", "(1,)");
  const auto length = static_cast<char>(header.size());
  for (const char version : {'\2', '\3'}) {
    const std::string npy =
        std::string("\x93NUMPY") + version + '\0' + length + std::string(3, '\0') + header + "x";
    CHECK(checkpoint_of(npz_of(npy)).tensors.at("a").bytes.size() == 1);
  }
  CHECK(says(error_of([&] { checkpoint_of(npz_of(std::string("\x93NUMPY\4\0", 8) + "xxxx")); }),
             "version 1.0, 2.0 or 3.0"));
  CHECK(says(error_of([&] { checkpoint_of(npz_of("\x93NUMPX\1")); }), "more bytes"));
  CHECK(says(error_of([&] { checkpoint_of(npz_of("\x93NUMPX\1xxxx")); }), "expected an .npy array"));
  CHECK(says(error_of([&] { checkpoint_of(npz_of(std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12))); }),
             "more than 65536 bytes"));
  CHECK(says(error_of([&] { checkpoint_of(npz_of(std::string("\x93NUMPY\1\0\xff\xff", 10))); }),
             "expected 65535 more bytes"));
}

TEST_CASE("npy headers outside the grammar are refused with their place") {
  const std::string place = "net: \"a.npy\": header character ";
  CHECK(says(refusal(""), place + "0: expected '{'"));
  CHECK(says(refusal("{}"), "expected \"descr\", \"fortran_order\" and \"shape\""));
  CHECK(says(refusal(header_of("'<f4'", "(1)")), "expected ','"));
  CHECK(says(refusal(header_of("'<f4'", "(,)")), "expected a size of 64 bits"));
  CHECK(says(refusal(header_of("'<f4'", "(-1,)")), "expected a size of 64 bits"));
  CHECK(says(refusal(header_of("'<f4'", "(18446744073709551616,)")), "expected a size of 64 bits"));
  CHECK(says(refusal(header_of("'<f4'", "(1, 1")), "expected ')'"));
  CHECK(says(refusal(header_of("'<f4'", "[1]")), "expected '('"));
  CHECK(says(refusal(header_of("'<f4'", "(1,1,1,1,1,1,1,1,1)")), "more than 8 dimensions"));
  CHECK(says(refusal(header_of("'<f4", "(1,)")), place));
  CHECK(says(refusal(header_of("<f4", "(1,)")), "expected a string"));
  CHECK(says(refusal(header_of("'>f4'", "(1,)")), "expected a little-endian array, got \">f4\""));
  CHECK(says(refusal(header_of("'|O'", "(1,)")), "Python objects"));
  CHECK(says(refusal(header_of("[('a', '<f4')]", "(1,)")), "structured"));
  CHECK(says(refusal(header_of("'<c8'", "(1,)")), "expected a number type"));
  CHECK(says(refusal(header_of("'<U4'", "(1,)")), "expected a number type"));
  CHECK(says(refusal("{'descr': '<f4', 'descr': '<f4'}"), "once, got \"descr\""));
  CHECK(says(refusal("{'descr': '<f4', 'x': 1}"), "once, got \"x\""));
  CHECK(says(refusal("{'descr': '<f4', 'fortran_order': 0}"), "True or False"));
  CHECK(says(refusal("{'descr': '<f4' 'shape': ()}"), "expected '}'"));
  CHECK(says(refusal(header_of("'|u1'", "()") + "x"), "expected the end of the header"));
  CHECK(says(refusal(header_of("__import__('os').system('true')", "()")), "expected a string"));
}

TEST_CASE("npy data of another size than the header's are refused before they are allocated") {
  CHECK(says(refusal(header_of("'<f4'", "(2,)"), "1234567"),
             "expected exactly the bytes of its type and shape"));
  CHECK(says(refusal(header_of("'<f4'", "(1,)"), "12345678"), "got 8"));
  CHECK(says(refusal(header_of("'<f4'", "(4611686018427387904,)"), ""), "got 0"));
  CHECK(says(refusal(header_of("'<f4'", "(4294967296, 4294967296)"), ""), "got 0"));
}

TEST_CASE("column-major arrays are turned") {
  const Tensor tensor = read("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}", "adbecf");
  CHECK(tensor.to_f64() == std::vector<double>{'a', 'b', 'c', 'd', 'e', 'f'});
}

TEST_CASE("entries that are no arrays are listed") {
  ZipWriter zip;
  zip.add("a.npy", npy_bytes(header_of("'|u1'", "()"), "1"));
  zip.add("notes.txt", "hello");
  const auto checkpoint = checkpoint_of(zip.finish());
  CHECK(checkpoint.format == "npz");
  CHECK(checkpoint.ignored == std::vector<std::string>{"notes.txt"});
  CHECK(checkpoint.tensors.size() == 1);
}

TEST_CASE("NpzFile gives typed arrays and fails on others") {
  const kinglet::test::TempDir dir;
  kinglet::test::write_npz(dir / "a.npz", kinglet::test::small_tensors());
  const kinglet::test::NpzFile file(dir / "a.npz");
  CHECK(file.names() == std::vector<std::string>{"bn1.num_batches_tracked", "l1.bias", "l1.weight"});
  CHECK(file.f32("l1.weight") == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(file.f64("l1.bias") == std::vector<double>{0.5, -1});
  CHECK(file.i64("bn1.num_batches_tracked") == std::vector<int64_t>{7});
  CHECK(file.shape("l1.weight") == std::vector<uint64_t>{2, 3});
  CHECK_THROWS(file.f64("missing"));
  CHECK_THROWS(file.i64("l1.bias"));
  CHECK_THROWS(file.f32("l1.bias"));
}
