#include "support/npz.h"

#include <cstring>
#include <stdexcept>
#include <utility>

#include "kinglet/converter/tensors.h"
#include "kinglet/formats/file.h"

#include "src/npz.h"

namespace kinglet::test {
namespace {

using converter::ElementType;
using converter::Tensor;

template <typename Integer>
std::vector<int64_t> widened(const Tensor& tensor) {
  std::vector<int64_t> wide(tensor.bytes.size() / sizeof(Integer));
  for (size_t index = 0; index < wide.size(); ++index) {
    Integer element;
    std::memcpy(&element, tensor.bytes.data() + index * sizeof element, sizeof element);
    wide[index] = static_cast<int64_t>(element);
  }
  return wide;
}

}  // namespace

NpzFile::NpzFile(const std::filesystem::path& path) : path_(path.string()) {
  const formats::MappedFile file(path);
  arrays_ = converter::read_npz(converter::ZipArchive(file.bytes(), path_)).tensors;
}

NpzFile::NpzFile(NpzFile&&) noexcept = default;
NpzFile::~NpzFile() = default;

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, unused] : arrays_) names.push_back(name);
  return names;
}

bool NpzFile::contains(std::string_view name) const {
  return arrays_.contains(name);
}

const Tensor& NpzFile::tensor(std::string_view name) const {
  const auto found = arrays_.find(name);
  if (found == arrays_.end()) throw std::runtime_error(path_ + ": no array named " + std::string(name));
  return found->second;
}

const std::vector<uint64_t>& NpzFile::shape(std::string_view name) const {
  return tensor(name).shape;
}

std::vector<double> NpzFile::f64(std::string_view name) const {
  return tensor(name).to_f64();
}

std::vector<float> NpzFile::f32(std::string_view name) const {
  const Tensor& array = tensor(name);
  const bool narrow = array.type == ElementType::f32 || array.type == ElementType::f16;
  if (!narrow) throw std::runtime_error(path_ + ": " + std::string(name) + " is not a float array");
  return array.to_f32();
}

std::vector<int64_t> NpzFile::i64(std::string_view name) const {
  const Tensor& array = tensor(name);
  switch (array.type) {
    case ElementType::i8:
      return widened<int8_t>(array);
    case ElementType::i16:
      return widened<int16_t>(array);
    case ElementType::i32:
      return widened<int32_t>(array);
    case ElementType::i64:
      return widened<int64_t>(array);
    case ElementType::u8:
    case ElementType::boolean:
      return widened<uint8_t>(array);
    case ElementType::u16:
      return widened<uint16_t>(array);
    case ElementType::u32:
      return widened<uint32_t>(array);
    default:
      throw std::runtime_error(path_ + ": " + std::string(name) + " is not an integer array");
  }
}

}  // namespace kinglet::test
