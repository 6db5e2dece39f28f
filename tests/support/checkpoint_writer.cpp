#include "support/checkpoint_writer.h"

#include <cstring>
#include <stdexcept>

#include "support/support.h"

namespace kinglet::test {
namespace {

using converter::ElementType;
using converter::Tensor;
using converter::TensorMap;

template <typename Number>
std::string little_endian(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

std::string_view text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string listed(const std::vector<uint64_t>& numbers) {
  std::string text;
  for (const uint64_t number : numbers) text += std::to_string(number) + ", ";
  return text;
}

std::vector<uint64_t> row_major_strides(const std::vector<uint64_t>& shape) {
  std::vector<uint64_t> strides(shape.size());
  uint64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

std::string storage_global(ElementType type) {
  switch (type) {
    case ElementType::f16:
      return "HalfStorage";
    case ElementType::bf16:
      return "BFloat16Storage";
    case ElementType::f32:
      return "FloatStorage";
    case ElementType::f64:
      return "DoubleStorage";
    case ElementType::i8:
      return "CharStorage";
    case ElementType::u8:
      return "ByteStorage";
    case ElementType::i16:
      return "ShortStorage";
    case ElementType::i32:
      return "IntStorage";
    case ElementType::i64:
      return "LongStorage";
    case ElementType::boolean:
      return "BoolStorage";
    default:
      throw std::invalid_argument("torch has no storage of this type");
  }
}

const char* safetensors_type(ElementType type) {
  switch (type) {
    case ElementType::f16:
      return "F16";
    case ElementType::bf16:
      return "BF16";
    case ElementType::f32:
      return "F32";
    case ElementType::f64:
      return "F64";
    case ElementType::i8:
      return "I8";
    case ElementType::u8:
      return "U8";
    case ElementType::i16:
      return "I16";
    case ElementType::u16:
      return "U16";
    case ElementType::i32:
      return "I32";
    case ElementType::u32:
      return "U32";
    case ElementType::i64:
      return "I64";
    case ElementType::u64:
      return "U64";
    case ElementType::boolean:
      return "BOOL";
  }
  throw std::invalid_argument("no such type");
}

const char* npy_type(ElementType type) {
  switch (type) {
    case ElementType::f16:
      return "<f2";
    case ElementType::f32:
      return "<f4";
    case ElementType::f64:
      return "<f8";
    case ElementType::i8:
      return "|i1";
    case ElementType::u8:
      return "|u1";
    case ElementType::i16:
      return "<i2";
    case ElementType::u16:
      return "<u2";
    case ElementType::i32:
      return "<i4";
    case ElementType::u32:
      return "<u4";
    case ElementType::i64:
      return "<i8";
    case ElementType::u64:
      return "<u8";
    case ElementType::boolean:
      return "|b1";
    case ElementType::bf16:
      break;
  }
  throw std::invalid_argument("npy has no such type");
}

// Element by element from the index of each: slow and plain, so that it shares nothing with the reader.
std::string in_column_major(const Tensor& tensor) {
  const size_t size = converter::element_size(tensor.type);
  std::string bytes(tensor.bytes.size(), '\0');
  for (uint64_t from = 0; from < tensor.elements(); ++from) {
    uint64_t rest = from;
    uint64_t stride = tensor.elements();
    uint64_t to = 0;
    for (size_t i = tensor.shape.size(); i-- > 0;) {
      stride /= tensor.shape[i];
      to += rest % tensor.shape[i] * stride;
      rest /= tensor.shape[i];
    }
    std::memcpy(bytes.data() + to * size, tensor.bytes.data() + from * size, size);
  }
  return bytes;
}

}  // namespace

PickleWriter& PickleWriter::text(std::string_view text) {
  bytes_ += 'X' + little_endian(static_cast<uint32_t>(text.size()));
  bytes_ += text;
  return *this;
}

PickleWriter& PickleWriter::integer(int64_t number) {
  bytes_ += "\x8a\x08" + little_endian(number);
  return *this;
}

PickleWriter& PickleWriter::tuple(const std::vector<uint64_t>& numbers) {
  raw("(");
  for (const uint64_t number : numbers) integer(static_cast<int64_t>(number));
  return raw("t");
}

PickleWriter& PickleWriter::global(std::string_view module, std::string_view name) {
  return raw("c").raw(module).raw("\n").raw(name).raw("\n");
}

PickleWriter& PickleWriter::tensor(const TensorParts& parts) {
  global("torch._utils", "_rebuild_tensor_v2")
      .raw("((")
      .text("storage")
      .global("torch", parts.storage_global);
  text(parts.key).text("cpu").integer(parts.storage_elements).raw("tQ").integer(parts.offset);
  tuple(parts.shape).tuple(parts.strides).raw("\x89").global("collections", "OrderedDict");
  return raw(")RtR");
}

std::string torch_zip_bytes(const TensorMap& tensors, const TorchZipOptions& options) {
  PickleWriter pickle;
  if (options.in_checkpoint) pickle.raw("}(").text("epoch").raw("K\x01").text("state_dict");
  pickle.global("collections", "OrderedDict").raw(")R(");
  size_t key = 0;
  for (const auto& [name, tensor] : tensors) {
    pickle.text(options.key_prefix + name);
    pickle.tensor({storage_global(tensor.type), std::to_string(key++),
                   static_cast<int64_t>(tensor.elements()), 0, tensor.shape,
                   row_major_strides(tensor.shape)});
  }
  pickle.raw("u");
  if (options.in_checkpoint) pickle.text("optimizer_states").raw("]u");

  ZipWriter zip;
  zip.add(options.root + "/data.pkl", pickle.finish(), options.method);
  zip.add(options.root + "/byteorder", "little");
  key = 0;
  for (const auto& [name, tensor] : tensors) {
    zip.add(options.root + "/data/" + std::to_string(key++), text_of(tensor.bytes), options.method);
  }
  zip.add(options.root + "/version", "3\n");
  return zip.finish(options.zip64);
}

std::string safetensors_bytes(const TensorMap& tensors) {
  std::string header = R"({"__metadata__":{"format":"pt"})";
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    std::string shape = listed(tensor.shape);
    if (!shape.empty()) shape.resize(shape.size() - 2);
    header += ",\"" + name + R"(":{"dtype":")" + safetensors_type(tensor.type) + R"(","shape":[)" + shape;
    header += R"(],"data_offsets":[)" + std::to_string(data.size());
    data += text_of(tensor.bytes);
    header += "," + std::to_string(data.size()) + "]}";
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return little_endian(uint64_t{header.size()}) + header + data;
}

std::string npy_bytes(std::string_view header, std::string_view data) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += little_endian(static_cast<uint16_t>(header.size()));
  return bytes.append(header).append(data);
}

std::string npz_bytes(const TensorMap& tensors, ZipMethod method, bool column_major) {
  ZipWriter zip;
  for (const auto& [name, tensor] : tensors) {
    const std::string header = std::string("{'descr': '") + npy_type(tensor.type) +
                               "', 'fortran_order': " + (column_major ? "True" : "False") + ", 'shape': (" +
                               listed(tensor.shape) + "), }\n";
    const std::string data = column_major ? in_column_major(tensor) : std::string(text_of(tensor.bytes));
    zip.add(name + ".npy", npy_bytes(header, data), method);
  }
  return zip.finish();
}

void write_torch_zip(const std::filesystem::path& path, const TensorMap& tensors,
                     const TorchZipOptions& options) {
  write_file(path, torch_zip_bytes(tensors, options));
}

void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors) {
  write_file(path, safetensors_bytes(tensors));
}

void write_npz(const std::filesystem::path& path, const TensorMap& tensors, ZipMethod method) {
  write_file(path, npz_bytes(tensors, method));
}

}  // namespace kinglet::test
