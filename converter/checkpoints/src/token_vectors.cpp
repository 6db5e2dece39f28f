#include "kinglet/converter/token_vectors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "kinglet/converter/tensors.h"
#include "kinglet/formats/error.h"
#include "kinglet/formats/file.h"
#include "kinglet/formats/row.h"

#include "text_vectors.h"

namespace kinglet::converter {
namespace {

constexpr const char* kIds = "ids";
constexpr const char* kVectors = "vectors";

// Every binary format that is read has a zero or a byte beyond ASCII among its first eight.
bool is_text(std::span<const std::byte> bytes) {
  constexpr size_t kLooked = 8;
  const auto start = bytes.first(std::min(kLooked, bytes.size()));
  return std::none_of(start.begin(), start.end(),
                      [](std::byte byte) { return byte == std::byte{0} || byte >= std::byte{0x80}; });
}

bool is_floating(ElementType type) {
  return type == ElementType::f16 || type == ElementType::bf16 || type == ElementType::f32 ||
         type == ElementType::f64;
}

TokenVectors from_tensor(const Tensor& tensor, const std::string& name) {
  if (tensor.shape.size() != 2 || !is_floating(tensor.type))
    throw Error(name, "", "expected floats of shape [tokens, dimensions]");
  if (tensor.shape[1] == 0 || tensor.shape[1] > kMaxVectorDimensions)
    throw Error(name, "", "expected 1 to " + std::to_string(kMaxVectorDimensions) + " dimensions");
  if (tensor.shape[0] > uint64_t{RowLimits::token_id} + 1)
    throw Error(name, "", "expected at most " + std::to_string(RowLimits::token_id + 1) + " tokens");
  TokenVectors vectors;
  vectors.ids.resize(tensor.shape[0]);
  std::iota(vectors.ids.begin(), vectors.ids.end(), 0U);
  vectors.dimensions = tensor.shape[1];
  vectors.values = tensor.to_f32();
  return vectors;
}

const TensorMap::value_type& choose_tensor(const TensorMap& tensors, const std::string& wanted,
                                           const std::string& file) {
  if (!wanted.empty()) {
    const auto found = tensors.find(wanted);
    if (found == tensors.end()) throw Error(file, "", "no tensor named '" + wanted + "'");
    return *found;
  }
  const auto is_table = [](const auto& entry) { return entry.second.shape.size() == 2; };
  const auto first = std::find_if(tensors.begin(), tensors.end(), is_table);
  if (first == tensors.end()) throw Error(file, "", "expected a tensor of shape [tokens, dimensions]");
  const auto second = std::find_if(std::next(first), tensors.end(), is_table);
  if (second != tensors.end()) {
    throw Error(file, "",
                "several tensors have two dimensions ('" + first->first + "', '" + second->first +
                    "', ...): name the one with the vectors");
  }
  return *first;
}

std::vector<uint32_t> read_ids(const Tensor& tensor, uint64_t tokens, const std::string& name) {
  if (is_floating(tensor.type) || tensor.shape != std::vector<uint64_t>{tokens})
    throw Error(name, "", "expected " + std::to_string(tokens) + " integers, one a vector");
  std::vector<uint32_t> ids;
  ids.reserve(tokens);
  for (const double id : tensor.to_f64()) {
    if (!(id >= 0 && id <= RowLimits::token_id))
      throw Error(name, "", "expected token ids of 0 to " + std::to_string(RowLimits::token_id));
    ids.push_back(static_cast<uint32_t>(id));
  }
  return ids;
}

TokenVectors from_checkpoint(std::span<const std::byte> bytes, const std::string& file,
                             const std::string& wanted) {
  const TensorMap tensors = read_checkpoint(bytes, file).tensors;
  const auto& [name, tensor] = choose_tensor(tensors, wanted, file);
  TokenVectors vectors = from_tensor(tensor, file + ": '" + name + "'");
  const auto ids = tensors.find(kIds);
  if (ids != tensors.end())
    vectors.ids = read_ids(ids->second, vectors.tokens(), file + ": '" + std::string(kIds) + "'");
  return vectors;
}

TokenVectors read_any(const formats::MappedFile& file, const std::string& tensor) {
  if (is_npy(file.bytes())) return from_tensor(read_npy(file.bytes(), file.path()), file.path());
  if (is_text(file.bytes()) && !file.bytes().empty()) return read_text_vectors(file.bytes(), file.path());
  return from_checkpoint(file.bytes(), file.path(), tensor);
}

void sort_by_id(TokenVectors& vectors) {
  if (std::is_sorted(vectors.ids.begin(), vectors.ids.end())) return;
  std::vector<uint32_t> order(vectors.tokens());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return vectors.ids[a] < vectors.ids[b]; });
  TokenVectors sorted{{}, vectors.dimensions, {}};
  sorted.ids.reserve(vectors.ids.size());
  sorted.values.reserve(vectors.values.size());
  for (const uint32_t token : order) {
    const auto vector = vectors.vector(token);
    sorted.ids.push_back(vectors.ids[token]);
    sorted.values.insert(sorted.values.end(), vector.begin(), vector.end());
  }
  vectors = std::move(sorted);
}

void check(const TokenVectors& vectors, const std::string& file) {
  if (vectors.tokens() == 0) throw Error(file, "", "expected at least one token vector");
  const auto twice = std::adjacent_find(vectors.ids.begin(), vectors.ids.end());
  if (twice != vectors.ids.end()) throw Error(file, "", "token " + std::to_string(*twice) + " stands twice");
  for (size_t token = 0; token < vectors.tokens(); ++token) {
    const auto vector = vectors.vector(token);
    const auto bad =
        std::find_if(vector.begin(), vector.end(), [](float value) { return !std::isfinite(value); });
    if (bad == vector.end()) continue;
    throw Error(file, "token " + std::to_string(vectors.ids[token]),
                "expected a finite float in dimension " + std::to_string(bad - vector.begin()));
  }
}

}  // namespace

TokenVectors read_token_vectors(const std::filesystem::path& path, const std::string& tensor) {
  const formats::MappedFile file(path);
  TokenVectors vectors = read_any(file, tensor);
  sort_by_id(vectors);
  check(vectors, file.path());
  return vectors;
}

std::vector<float> vector_table(const TokenVectors& vectors, const std::string& file) {
  constexpr uint64_t kSparse = 16;
  constexpr uint64_t kAlwaysAllowed = uint64_t{24} << 20;  // bytes
  const uint64_t rows = vectors.ids.empty() ? 0 : uint64_t{vectors.ids.back()} + 1;
  const uint64_t elements = rows * vectors.dimensions;  // at most 2^24 x 2^14
  if (elements > vectors.values.size() * kSparse + kAlwaysAllowed / sizeof(float)) {
    throw Error(file, "token " + std::to_string(vectors.ids.back()),
                std::to_string(vectors.tokens()) + " vectors are too few for ids as large");
  }
  std::vector<float> table(elements);
  for (size_t token = 0; token < vectors.tokens(); ++token) {
    const std::span<const float> vector = vectors.vector(token);
    std::copy(vector.begin(), vector.end(),
              table.begin() + static_cast<std::ptrdiff_t>(vectors.ids[token] * uint64_t{vectors.dimensions}));
  }
  return table;
}

void write_token_vectors(const std::filesystem::path& path, const TokenVectors& vectors) {
  const uint64_t tokens = vectors.tokens();
  Tensor ids{ElementType::u32, {tokens}, std::vector<std::byte>(tokens * sizeof(uint32_t))};
  std::memcpy(ids.bytes.data(), vectors.ids.data(), ids.bytes.size());
  Tensor values{ElementType::f32,
                {tokens, vectors.dimensions},
                std::vector<std::byte>(vectors.values.size() * sizeof(float))};
  std::memcpy(values.bytes.data(), vectors.values.data(), values.bytes.size());
  write_safetensors(path, {{kIds, std::move(ids)}, {kVectors, std::move(values)}});
}

}  // namespace kinglet::converter
