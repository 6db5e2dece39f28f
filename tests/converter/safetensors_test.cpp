#include "converter/checkpoint_bytes.h"
#include "support/checkpoint_writer.h"
#include "support/support.h"

namespace {

using kinglet::test::checkpoint_of;
using kinglet::test::error_of;

std::string file_of(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

std::string refusal(const std::string& header, const std::string& data = "") {
  return error_of([&] { checkpoint_of(file_of(header, data)); });
}

std::string entry(std::string_view name, std::string_view type, std::string_view shape,
                  std::string_view offsets) {
  return "\"" + std::string(name) + "\":{\"dtype\":\"" + std::string(type) + "\",\"shape\":[" +
         std::string(shape) + "],\"data_offsets\":[" + std::string(offsets) + "]}";
}

bool says(const std::string& message, std::string_view words) {
  return message.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("safetensors: tensors in any order of the header, empty ones and metadata") {
  const auto checkpoint =
      checkpoint_of(file_of("{" + entry("b", "U8", "3", "2,5") + ",\"__metadata__\":{\"a\":\"b\"}," +
                                entry("a", "I8", "2,1", "0,2") + "," + entry("e", "F32", "0", "2,2") + "}  ",
                            "12345"));
  CHECK(checkpoint.format == "safetensors");
  CHECK(checkpoint.tensors.size() == 3);
  CHECK(checkpoint.tensors.at("b").to_f64() == std::vector<double>{'3', '4', '5'});
  CHECK(checkpoint.tensors.at("a").shape == std::vector<uint64_t>{2, 1});
  CHECK(checkpoint.tensors.at("e").elements() == 0);
}

TEST_CASE("safetensors: holes, overlaps and offsets beyond the file are refused") {
  const std::string expected = "expected its data at offset ";
  CHECK(says(refusal("{" + entry("a", "U8", "2", "1,3") + "}", "123"), "\"a\": " + expected + "0"));
  CHECK(says(refusal("{" + entry("a", "U8", "2", "0,2") + "," + entry("b", "U8", "2", "3,5") + "}", "12345"),
             expected + "2"));
  CHECK(says(refusal("{" + entry("a", "U8", "2", "0,2") + "," + entry("b", "U8", "2", "1,3") + "}", "123"),
             expected + "2"));
  CHECK(says(refusal("{" + entry("a", "U8", "2", "0,2") + "}", "123"), "expected 2 bytes of data, got 3"));
  CHECK(says(refusal("{" + entry("a", "U8", "4", "0,4") + "}", "123"), "expected 4 bytes of data, got 3"));
  CHECK(says(refusal("{" + entry("a", "U8", "2", "2,0") + "}", "12"), "span exactly"));
  CHECK(says(refusal("{" + entry("a", "F32", "2", "0,7") + "}", "1234567"), "span exactly"));
  CHECK(says(refusal("{" + entry("a", "F32", "4294967296,4294967296", "0,0") + "}"), "span exactly"));
  CHECK(says(refusal("{" + entry("a", "F64", "4611686018427387904", "0,0") + "}"), "span exactly"));
}

TEST_CASE("safetensors: anything but the header's grammar is refused with its place") {
  const std::string good = entry("a", "U8", "1", "0,1");
  CHECK(says(refusal("{" + good + "," + good + "}", "1"), "\"a\": this key stands twice"));
  CHECK(says(refusal(R"({"a":{"dtype":"U8","dtype":"U8"}})"), "\"a\": \"dtype\": this key stands twice"));
  CHECK(says(refusal(R"({"__metadata__":{},"__metadata__":{}})"), "this key stands twice"));
  CHECK(says(refusal(R"({"__metadata__":{"a":1}})"), "expected a string, got a number"));
  CHECK(says(refusal(R"({"__metadata__":{"a":{}}})"), "got an object"));
  CHECK(says(refusal(R"({"__metadata__":[]})"), "expected an object, got a list"));
  CHECK(says(refusal(R"({"a":1})"), "\"a\": expected an object, got a number"));
  CHECK(says(refusal(R"({"a":{}})"), "\"a\": expected \"dtype\", \"shape\" and \"data_offsets\""));
  CHECK(says(refusal(R"({"a":{"type":"U8"}})"), "\"a\": \"type\": expected"));
  CHECK(says(refusal(R"({"a":{"dtype":1}})"), "expected the name of a supported type, got a number"));
  CHECK(says(refusal(R"({"a":{"dtype":["U8"]}})"), "got a list"));
  CHECK(says(refusal(R"({"a":{"dtype":{}}})"), "got an object"));
  CHECK(says(refusal(R"({"a":{"dtype":"F8_E4M3"}})"), "got \"F8_E4M3\""));
  CHECK(says(refusal(R"({"a":{"shape":"1"}})"), "at most 8 sizes, got a string"));
  CHECK(says(refusal(R"({"a":{"shape":[[1]]}})"), "got a list"));
  CHECK(says(refusal(R"({"a":{"shape":[-1]}})"), "got a negative number"));
  CHECK(says(refusal(R"({"a":{"shape":[1.5]}})"), "no integer of 64 bits"));
  CHECK(says(refusal(R"({"a":{"shape":[18446744073709551616]}})"), "no integer of 64 bits"));
  CHECK(says(refusal(R"({"a":{"shape":[1,1,1,1,1,1,1,1,1]}})"), "got more"));
  CHECK(says(refusal(R"({"a":{"data_offsets":[1]}})"), "a list of two offsets, got fewer"));
  CHECK(says(refusal(R"({"a":{"data_offsets":[1,2,3]}})"), "a list of two offsets, got more"));
  CHECK(says(refusal(R"({"a":null})"), "got null"));
  CHECK(says(refusal(R"({"a":NaN})"), "byte 6: expected valid JSON"));
  CHECK(says(refusal("{\"\xff\":1}"), "expected valid JSON in UTF-8"));
  CHECK(says(refusal("{" + good + "} x", "1"), "expected valid JSON"));
  CHECK(says(refusal("{" + good, "1"), "expected valid JSON"));
  CHECK(says(refusal("{\"a\":" + std::string(100'000, '[')), "expected an object, got a list"));
}

TEST_CASE("safetensors: a header longer than the file or the limit is refused") {
  std::string file = file_of("{}");
  file[0] = 3;
  CHECK(says(error_of([&] { checkpoint_of(file); }), "expected 3 more bytes, only 2 are left"));
  file[7] = '\x7f';
  CHECK(says(error_of([&] { checkpoint_of(file); }), "a header of at most 8388608 bytes"));
}

TEST_CASE("safetensors: the number of tensors is limited") {
  std::string header = "{";
  for (int index = 0; index < 8193; ++index) header += entry(std::to_string(index), "U8", "0", "0,0") + ",";
  header.back() = '}';
  CHECK(says(refusal(header), "more than 8192 tensors"));
}
