#include <cmath>
#include <cstring>
#include <string>

#include "kinglet/codebook/emde.h"
#include "kinglet/converter/tensors.h"
#include "kinglet/formats/error.h"

namespace kinglet::codebook {
namespace {

using converter::ElementType;
using converter::Tensor;

template <typename Number>
Tensor tensor_of(ElementType type, std::vector<uint64_t> shape, const std::vector<Number>& values) {
  Tensor tensor{type, std::move(shape), std::vector<std::byte>(values.size() * sizeof(Number))};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

// Tensors by name, each with its expected shape.
class Parameters {
 public:
  explicit Parameters(const std::filesystem::path& path)
      : file_(path.string()), tensors_(converter::read_checkpoint(path).tensors) {}

  const Tensor& find(std::string_view name, size_t dimensions) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail(name, "expected in the parameters of a codebook, but missing");
    if (found->second.shape.size() != dimensions)
      fail(name, "expected " + std::to_string(dimensions) + " dimension(s)");
    return found->second;
  }

  std::vector<double> finite(std::string_view name, uint64_t elements) const {
    const Tensor& tensor = find(name, 1);
    if (tensor.elements() != elements) fail(name, "expected " + std::to_string(elements) + " elements");
    std::vector<double> values = tensor.to_f64();
    for (const double value : values) {
      if (!std::isfinite(value)) fail(name, "expected finite numbers");
    }
    return values;
  }

  [[noreturn]] void fail(std::string_view name, std::string_view message) const {
    throw Error(file_, "'" + std::string(name) + "'", message);
  }

 private:
  std::string file_;
  converter::TensorMap tensors_;
};

uint32_t read_width(const Parameters& parameters) {
  const double width = parameters.finite("width", 1)[0];
  if (!(width >= 1 && width <= kMaxWidth) || width != std::floor(width))
    parameters.fail("width", "expected an integer of 1 to " + std::to_string(kMaxWidth));
  return static_cast<uint32_t>(width);
}

}  // namespace

void write_emde(const std::filesystem::path& path, const EmdeHash& hash) {
  const uint64_t dimensions = hash.dimensions();
  const uint64_t projections = hash.projections();
  converter::write_safetensors(
      path, {{"mean", tensor_of(ElementType::f64, {dimensions}, hash.mean)},
             {"scale", tensor_of(ElementType::f64, {dimensions}, hash.scale)},
             {"components", tensor_of(ElementType::f32, {projections, dimensions}, hash.components)},
             {"biases", tensor_of(ElementType::f64, {projections}, hash.biases)},
             {"width", tensor_of(ElementType::u32, {1}, std::vector<uint32_t>{hash.width})}});
}

EmdeHash read_emde(const std::filesystem::path& path) {
  const Parameters parameters(path);
  const Tensor& components = parameters.find("components", 2);
  const uint64_t projections = components.shape[0];
  const uint64_t dimensions = components.shape[1];
  if (projections == 0 || projections % kBitsPerCode != 0 || projections / kBitsPerCode > kMaxDepth)
    parameters.fail("components",
                    "expected 16 projections a depth, of 1 to " + std::to_string(kMaxDepth) + " depths");
  if (dimensions == 0 || dimensions > converter::kMaxVectorDimensions)
    parameters.fail("components",
                    "expected 1 to " + std::to_string(converter::kMaxVectorDimensions) + " dimensions");
  EmdeHash hash;
  hash.depth = static_cast<uint32_t>(projections / kBitsPerCode);
  hash.width = read_width(parameters);
  hash.mean = parameters.finite("mean", dimensions);
  hash.scale = parameters.finite("scale", dimensions);
  for (const double scale : hash.scale) {
    if (scale <= 0) parameters.fail("scale", "expected positive numbers");
  }
  hash.components = components.to_f32();
  for (const float component : hash.components) {
    if (!std::isfinite(component)) parameters.fail("components", "expected finite numbers");
  }
  hash.biases = parameters.finite("biases", projections);
  return hash;
}

}  // namespace kinglet::codebook
