#include <array>
#include <limits>

#include "converter/checkpoint_bytes.h"
#include "support/checkpoint_writer.h"
#include "support/support.h"

namespace {

using namespace kinglet::converter;
using kinglet::test::checkpoint_of;
using kinglet::test::error_of;
using kinglet::test::PickleWriter;
using kinglet::test::small_tensors;
using kinglet::test::torch_zip_bytes;
using kinglet::test::ZipMethod;
using kinglet::test::ZipWriter;
using TensorParts = PickleWriter::TensorParts;

constexpr size_t kStorageFloats = 12;

// A torch zip of this pickle and one storage "0" of the floats 0, 1, ..., 11.
std::string zip_of(const std::string& pickle, ZipMethod method = ZipMethod::stored) {
  std::array<float, kStorageFloats> storage{};
  for (size_t index = 0; index < storage.size(); ++index) storage[index] = static_cast<float>(index);
  ZipWriter zip;
  zip.add("net/data.pkl", pickle, method);
  zip.add("net/data/0", {reinterpret_cast<const char*>(storage.data()), sizeof storage}, method);
  return zip.finish();
}

std::string dict_of(const TensorParts& parts) {
  return PickleWriter().raw("}").text("x").tensor(parts).raw("s").finish();
}

std::vector<float> view(TensorParts parts) {
  if (parts.storage_elements == 0) parts.storage_elements = kStorageFloats;
  return checkpoint_of(zip_of(dict_of(parts))).tensors.at("x").to_f32();
}

std::string refusal(TensorParts parts) {
  if (parts.storage_elements == 0) parts.storage_elements = kStorageFloats;
  return error_of([&] { checkpoint_of(zip_of(dict_of(parts))); });
}

std::string refusal_of(const PickleWriter& pickle) {
  return error_of([&] { checkpoint_of(zip_of(pickle.finish())); });
}

bool says(const std::string& message, std::string_view words) {
  return message.find(words) != std::string::npos;
}

constexpr uint64_t kMinus1 = ~uint64_t{0};

}  // namespace

TEST_CASE("strided views: contiguous, offset, transposed, stepped, expanded, empty, scalar") {
  using Floats = std::vector<float>;
  CHECK(view({.shape = {2, 3}, .strides = {3, 1}}) == Floats{0, 1, 2, 3, 4, 5});
  CHECK(view({.offset = 6, .shape = {2, 3}, .strides = {3, 1}}) == Floats{6, 7, 8, 9, 10, 11});
  CHECK(view({.shape = {3, 2}, .strides = {1, 3}}) == Floats{0, 3, 1, 4, 2, 5});
  CHECK(view({.offset = 1, .shape = {2, 2}, .strides = {8, 2}}) == Floats{1, 3, 9, 11});
  CHECK(view({.offset = 4, .shape = {2, 2}, .strides = {0, 1}}) == Floats{4, 5, 4, 5});
  CHECK(view({.shape = {2, 2, 3}, .strides = {1, 6, 2}}) == Floats{0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11});
  CHECK(view({.offset = 12, .shape = {3, 0}, .strides = {kMinus1 >> 1, 1}}).empty());
  CHECK(view({.offset = 11}) == Floats{11});
}

TEST_CASE("several tensors may share a storage, deflated or not") {
  const std::string pickle = PickleWriter()
                                 .raw("}(")
                                 .text("a")
                                 .tensor({.storage_elements = 12, .shape = {2}, .strides = {1}})
                                 .text("b")
                                 .tensor({.storage_elements = 12, .offset = 2, .shape = {2}, .strides = {1}})
                                 .raw("u")
                                 .finish();
  for (const ZipMethod method : {ZipMethod::stored, ZipMethod::deflated}) {
    const auto tensors = checkpoint_of(zip_of(pickle, method)).tensors;
    CHECK(tensors.at("a").to_f32() == std::vector<float>{0, 1});
    CHECK(tensors.at("b").to_f32() == std::vector<float>{2, 3});
  }
}

TEST_CASE("views beyond their storage are refused, however the numbers overflow") {
  CHECK(says(refusal({.shape = {13}, .strides = {1}}), "\"x\": reaches beyond its storage of 12 elements"));
  CHECK(says(refusal({.offset = 11, .shape = {2}, .strides = {1}}), "reaches beyond"));
  CHECK(says(refusal({.offset = 12}), "reaches beyond"));
  CHECK(says(refusal({.shape = {2, 2}, .strides = {11, 1}}), "reaches beyond"));
  CHECK(says(refusal({.shape = {3}, .strides = {kMinus1 >> 1}}), "reaches beyond"));
  CHECK(
      says(refusal({.offset = std::numeric_limits<int64_t>::max(), .shape = {2}, .strides = {kMinus1 >> 1}}),
           "reaches beyond"));
  CHECK(says(refusal({.shape = {uint64_t{1} << 32, uint64_t{1} << 32}, .strides = {0, 0}}),
             "too many elements"));
  CHECK(says(refusal({.shape = {uint64_t{1} << 62}, .strides = {0}}), "too large"));
  CHECK(says(refusal({.shape = {uint64_t{1} << 40}, .strides = {0}}), "too large for a file of this size"));
}

TEST_CASE("negative offsets, sizes and strides are refused") {
  CHECK(says(refusal({.offset = -1, .shape = {1}, .strides = {1}}), "storage offset to be 0 or more"));
  CHECK(says(refusal({.shape = {kMinus1}, .strides = {1}}), "shape to be 0 or more"));
  CHECK(says(refusal({.offset = 5, .shape = {2}, .strides = {kMinus1}}), "strides to be 0 or more"));
  CHECK(says(refusal({.storage_elements = -1}), "storage size to be 0 or more"));
}

TEST_CASE("more dimensions than strides, or than anything has, are refused") {
  CHECK(says(refusal({.shape = {1, 1}, .strides = {1}}), "as many strides as dimensions"));
  CHECK(says(refusal({.shape = std::vector<uint64_t>(9, 1), .strides = std::vector<uint64_t>(9, 1)}),
             "at most 8"));
}

TEST_CASE("a storage whose size is not its entry's is refused") {
  CHECK(says(refusal({.storage_elements = 11, .shape = {1}, .strides = {1}}),
             "\"x\": expected storage \"0\" to hold 11 elements of type f32, it has 48 bytes"));
  CHECK(says(refusal({.storage_elements = 13}), "to hold 13 elements"));
  CHECK(says(refusal({.storage_global = "DoubleStorage", .storage_elements = 12}), "of type f64"));
  CHECK(says(refusal({.storage_global = "LongStorage", .storage_elements = 12}), "of type i64"));
  CHECK(
      view({.storage_global = "DoubleStorage", .storage_elements = 6, .shape = {6}, .strides = {1}}).size() ==
      6);
  CHECK(says(refusal({.key = "1"}), "its storage \"1\" is not in the file"));
  CHECK(says(refusal({.key = "../data.pkl"}), "is not in the file"));
  CHECK(says(refusal({.storage_global = "QInt8Storage"}), "the global \"torch.QInt8Storage\""));
}

TEST_CASE("an os.system pickle runs nothing and is refused by name") {
  const kinglet::test::TempDir dir;
  const std::string command = "touch " + (dir / "run").string();
  const auto attack = PickleWriter().raw("}").text("x").global("os", "system").text(command).raw("\x85Rs");
  CHECK(says(refusal_of(attack),
             "net: \"net/data.pkl\": byte 9: the global \"os.system\" is not on the allow-list"));
  const auto posix =
      PickleWriter().raw("}").text("x").raw("\x8c\x05posix\x8c\x06system\x93").text(command).raw("\x85Rs");
  CHECK(says(refusal_of(posix), "the global \"posix.system\""));
  CHECK_FALSE(std::filesystem::exists(dir / "run"));
}

TEST_CASE("tensors made of anything else than torch makes them of are refused") {
  const auto rebuilt = [](std::string_view arguments) {
    return refusal_of(PickleWriter()
                          .raw("}")
                          .text("x")
                          .global("torch._utils", "_rebuild_tensor_v2")
                          .raw(arguments)
                          .raw("Rs"));
  };
  CHECK(says(rebuilt(")"), "tensor of 6 or 7 arguments"));
  CHECK(says(rebuilt("(NNNNNNt"), "first argument to be a storage"));
  CHECK(says(rebuilt("(NQNNNNNt"), "tuple of 5 items"));
  CHECK(says(rebuilt("((NNNNNtQNNNNNt"), "(\"storage\", type, key, device, elements)"));
  const auto parameter = [](std::string_view arguments) {
    return refusal_of(PickleWriter()
                          .raw("}")
                          .text("x")
                          .global("torch._utils", "_rebuild_parameter")
                          .raw(arguments)
                          .raw("Rs"));
  };
  CHECK(says(parameter(")"), "parameter of 3 arguments"));
  CHECK(says(parameter("(N\x89)t"), "a parameter that holds a tensor"));
  CHECK(says(parameter("(ctorch\nFloatStorage\n)R\x89)t"), "a parameter that holds a tensor"));
  const auto bad_type =
      PickleWriter().raw("}").text("x").global("torch._utils", "_rebuild_tensor_v2").raw("((");
  CHECK(
      says(refusal_of(PickleWriter(bad_type).text("storage").text("f").text("0").text("cpu").integer(12).raw(
               "tQNNNNNtRs")),
           "one of torch's storage types"));
}

TEST_CASE("parameters are tensors") {
  const auto pickle = PickleWriter()
                          .raw("}")
                          .text("x")
                          .global("torch._utils", "_rebuild_parameter")
                          .raw("(")
                          .tensor({.storage_elements = 12, .shape = {2}, .strides = {5}})
                          .raw("\x88")
                          .global("collections", "OrderedDict")
                          .raw(")RtRs");
  CHECK(checkpoint_of(zip_of(pickle.finish())).tensors.at("x").to_f32() == std::vector<float>{0, 5});
}

TEST_CASE("what is no dict of tensors is refused, and what stands beside the tensors is listed") {
  CHECK(says(refusal_of(PickleWriter().raw("]")), "expected a dict of tensors by name, got a list"));
  CHECK(says(refusal_of(PickleWriter().raw("}")), "or one with the key \"state_dict\""));
  CHECK(says(refusal_of(PickleWriter().raw("}K\x01Ns")), "whose keys are strs, got an int"));
  CHECK(says(refusal_of(PickleWriter().raw("}").text("state_dict").raw("]s")),
             "\"state_dict\": expected a dict, got a list"));
  CHECK(says(refusal_of(PickleWriter().raw("}(").text("x").raw("N").text("x").raw("Nu")),
             "\"x\": this key stands twice"));
  const TensorParts one{.storage_elements = 12, .shape = {1}, .strides = {1}};
  const auto mixed =
      PickleWriter().raw("}(").text("state_dict").raw("}(").text("x").tensor(one).text("note").raw("Nu");
  const auto checkpoint =
      checkpoint_of(zip_of(PickleWriter(mixed).text("loops").raw("]").text("lr").raw("Nu").finish()));
  CHECK(checkpoint.ignored == std::vector<std::string>{"loops", "lr", "state_dict.note"});
  CHECK(checkpoint.tensors.size() == 1);
}

TEST_CASE("self-containing values are walked past") {
  using namespace std::string_view_literals;
  const TensorParts one{.storage_elements = 12, .shape = {1}, .strides = {1}};
  const auto loops = PickleWriter()
                         .raw("}q\0("sv)
                         .text("self")
                         .raw("h\0"sv)
                         .text("list")
                         .raw("]q\1h\1a")
                         .text("x")
                         .tensor(one)
                         .raw("u");
  const auto checkpoint = checkpoint_of(zip_of(loops.finish()));
  CHECK(checkpoint.ignored == std::vector<std::string>{"self", "list"});
  const auto top =
      PickleWriter().raw("}q\0("sv).text("state_dict").raw("h\0"sv).text("x").tensor(one).raw("u");
  CHECK(checkpoint_of(zip_of(top.finish())).tensors.size() == 1);
  CHECK(says(refusal_of(PickleWriter().raw("]q\0h\0a"sv)), "got a list"));
  CHECK_THROWS(checkpoint_of(zip_of(PickleWriter()
                                        .raw("}")
                                        .text("x")
                                        .global("torch._utils", "_rebuild_parameter")
                                        .raw("]q\0h\0a"sv)
                                        .raw("\x85Rs")
                                        .finish())));
}

TEST_CASE("byte order: little or unsaid") {
  const auto with_order = [](std::string_view order) {
    ZipWriter zip;
    zip.add("net/data.pkl", dict_of({.storage_elements = 1, .shape = {1}, .strides = {1}}));
    zip.add("net/byteorder", order);
    zip.add("net/data/0", "\0\0\0\0");
    return zip.finish();
  };
  CHECK(says(error_of([&] { checkpoint_of(with_order("big")); }),
             "\"net/byteorder\": expected the byte order"));
  CHECK(says(error_of([&] { checkpoint_of(with_order("litTle")); }), "expected the byte order"));
}

TEST_CASE("a TorchScript program is refused") {
  ZipWriter zip;
  zip.add("net/data.pkl", dict_of({}));
  zip.add("net/constants.pkl", "x");
  CHECK(says(error_of([&] { checkpoint_of(zip.finish()); }), "TorchScript"));
}

TEST_CASE("torch.save's format from before 1.6 is refused with a way out") {
  const std::string legacy("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", 21);
  CHECK(says(error_of([&] { checkpoint_of(legacy); }), "before PyTorch 1.6"));
}

TEST_CASE("the prefix before l1.weight is stripped, and two networks are refused") {
  TensorMap tensors = small_tensors();
  for (const std::string prefix : {"", "model.", "module.", "a.b.c."}) {
    for (const bool in_checkpoint : {false, true}) {
      const auto read =
          checkpoint_of(torch_zip_bytes(tensors, {.key_prefix = prefix, .in_checkpoint = in_checkpoint}));
      CHECK(read.key_prefix == prefix);
      CHECK(kinglet::test::same(read.tensors, tensors));
    }
  }
  TensorMap prefixed;
  for (const auto& [name, tensor] : tensors) prefixed["model." + name] = tensor;
  prefixed["loss.scale"] = tensors.at("l1.bias");
  const auto read = checkpoint_of(torch_zip_bytes(prefixed));
  CHECK(read.ignored == std::vector<std::string>{"loss.scale"});
  CHECK(kinglet::test::same(read.tensors, tensors));
  prefixed["ema.l1.weight"] = tensors.at("l1.weight");
  CHECK(
      says(error_of([&] { checkpoint_of(torch_zip_bytes(prefixed)); }),
           "two networks: expected one tensor named \"l1.weight\" after a prefix, got \"ema.l1.weight\" and "
           "\"model.l1.weight\""));
  const TensorMap other{{"init/l1.weight", tensors.at("l1.weight")}, {"xl1.weight", tensors.at("l1.bias")}};
  CHECK(checkpoint_of(torch_zip_bytes(other)).key_prefix.empty());
}
