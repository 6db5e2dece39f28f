#include "kinglet/formats/model_file.h"

#include <bit>
#include <cstring>
#include <set>

#include <xxhash.h>

#include "kinglet/formats/error.h"

#include "model_layout.h"

namespace kinglet::formats {
namespace {

static_assert(std::endian::native == std::endian::little, "model files are little-endian and read in place");

/// Elements of 4 bits that share 32 bytes (model.fbs, ElementType).
constexpr uint32_t kNibbleGroup = 64;
constexpr uint32_t kSignGroup = 256;

/// Rows side by side, and columns of a panel (model.fbs, Packing).
constexpr uint32_t kQuad = 4;
constexpr uint32_t kBundlePanel = 32;

/// a * b, or an Error where it does not fit 63 bits.
uint64_t multiply(const std::string& file, const std::string& place, uint64_t a, uint64_t b) {
  uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || product >> 63 != 0) {
    throw Error(file, place, "the shape is too large");
  }
  return product;
}

uint64_t round_up(const std::string& file, const std::string& place, uint64_t value, uint64_t step) {
  return multiply(file, place, value / step + (value % step != 0 ? 1 : 0), step);
}

/// Of a row of two dimensions whose first elements are narrow.
uint64_t split_row_bytes(const fbs::Tensor& tensor) {
  return tensor.shape()->Get(1) - tensor.narrow() + uint64_t{tensor.narrow()} * tensor.narrow_bits() / 8;
}

uint64_t bundled_elements(const std::string& file, const std::string& place, const fbs::Tensor& tensor) {
  const auto& shape = *tensor.shape();
  const uint32_t bundle = tensor.panel();
  if (shape.size() != 2) throw Error(file, place, "packing bundles needs the shape [rows, columns]");
  if (bundle == 0 || bundle > 4096 || bundle % kQuad != 0 || shape.Get(0) % bundle != 0)
    throw Error(file, place, "expected whole bundles of 4, 8, .. 4096 rows");
  if (shape.Get(1) % kBundlePanel != 0 || tensor.padded_columns() != shape.Get(1))
    throw Error(file, place, "expected bundles of whole panels of 32 columns");
  const uint64_t narrow = tensor.narrow();
  if (narrow == 0) return multiply(file, place, shape.Get(0), shape.Get(1));
  if (tensor.type() != fbs::ElementType::s8 || tensor.narrow_bits() != 4 || narrow % kNibbleGroup != 0 ||
      narrow >= shape.Get(1))
    throw Error(file, place, "expected bundles of 8 bits, the first groups of 64 columns of 4");
  return multiply(file, place, shape.Get(0), split_row_bytes(tensor));
}

/// In bytes, which the elements behind the first ones are.
uint64_t split_elements(const std::string& file, const std::string& place, const fbs::Tensor& tensor) {
  const auto& shape = *tensor.shape();
  const uint64_t narrow = tensor.narrow();
  if (tensor.type() != fbs::ElementType::s8 || shape.size() != 2)
    throw Error(file, place, "packing split needs the type s8 and the shape [rows, columns]");
  if (tensor.narrow_bits() != 4 && tensor.narrow_bits() != 1)
    throw Error(file, place, "expected narrow columns of 4 bits or of 1");
  const uint64_t columns = shape.Get(1);
  const uint64_t group = tensor.narrow_bits() == 4 ? kNibbleGroup : kSignGroup;
  if (tensor.padded_columns() != columns || columns % kNibbleGroup != 0 || narrow % group != 0 ||
      narrow == 0 || narrow >= columns)
    throw Error(
        file, place,
        "expected rows split between two groups of 64 columns, narrow ones of " + std::to_string(group));
  return multiply(file, place, shape.Get(0), split_row_bytes(tensor));
}

uint64_t packed_elements(const std::string& file, const std::string& place, const fbs::Tensor& tensor) {
  const auto& shape = *tensor.shape();
  for (const uint64_t dimension : shape) {
    if (dimension == 0) throw Error(file, place, "a dimension is 0");
  }
  const bool may_be_narrow =
      tensor.packing() == fbs::Packing::bundles || tensor.packing() == fbs::Packing::split;
  if (tensor.narrow() != 0 && !may_be_narrow) throw Error(file, place, "this packing has no narrow columns");
  if (tensor.packing() == fbs::Packing::panels || tensor.packing() == fbs::Packing::quads) {
    const uint32_t panel = tensor.panel();
    if (shape.size() != 2) throw Error(file, place, "packing panels needs the shape [outputs, inputs]");
    if (panel == 0 || panel > 4096) throw Error(file, place, "expected a panel of 1 to 4096 outputs");
    const uint64_t inputs =
        tensor.packing() == fbs::Packing::quads ? round_up(file, place, shape.Get(1), kQuad) : shape.Get(1);
    return multiply(file, place, round_up(file, place, shape.Get(0), panel), inputs);
  }
  if (tensor.packing() == fbs::Packing::bundles) return bundled_elements(file, place, tensor);
  if (tensor.packing() == fbs::Packing::split) return split_elements(file, place, tensor);
  if (tensor.packing() != fbs::Packing::rows) throw Error(file, place, "unknown packing");
  if (shape.size() != 1 && shape.size() != 2) throw Error(file, place, "expected one or two dimensions");
  const uint64_t columns = shape.Get(shape.size() - 1);
  if (tensor.padded_columns() < columns)
    throw Error(file, place, "padded_columns is less than the last dimension");
  return multiply(file, place, shape.size() == 2 ? shape.Get(0) : 1, tensor.padded_columns());
}

bool all_zero(std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    if (byte != std::byte{0}) return false;
  }
  return true;
}

/// 8-bit kernels multiply pairs into 16 bits: -128 would overflow.
bool all_symmetric(const int8_t* values, uint64_t count) {
  int8_t smallest = 0;
  for (uint64_t i = 0; i < count; ++i) smallest = values[i] < smallest ? values[i] : smallest;
  return smallest >= -127;
}

/// The same of a tensor of the type s8: of what it has in 8 bits.
bool all_symmetric(const TensorView& tensor) {
  const uint64_t narrow = tensor.info->narrow();
  if (narrow == 0) return all_symmetric(tensor.s8(), tensor.bytes.size());
  const uint64_t rows = tensor.info->packing() == fbs::Packing::bundles ? tensor.info->panel() : 1;
  const uint64_t part = rows * split_row_bytes(*tensor.info);
  const uint64_t wide = rows * (tensor.dimension(1) - narrow);
  for (uint64_t end = part; end <= tensor.bytes.size(); end += part) {
    if (!all_symmetric(tensor.s8() + end - wide, wide)) return false;
  }
  return true;
}

/// Whether all floats, given as their bits, are below `infinity` without their sign.
template <typename Bits>
bool all_below(const std::byte* bytes, uint64_t count, Bits infinity) {
  const auto* values = reinterpret_cast<const Bits*>(bytes);
  constexpr auto kMagnitude = static_cast<Bits>(static_cast<Bits>(~Bits{0}) >> 1);
  Bits largest = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const auto magnitude = static_cast<Bits>(values[i] & kMagnitude);
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest < infinity;
}

/// True of integers.
bool all_finite(const TensorView& tensor) {
  switch (tensor.info->type()) {
    case fbs::ElementType::f32:
      return all_below<uint32_t>(tensor.bytes.data(), tensor.bytes.size() / 4, 0x7F80'0000U);
    case fbs::ElementType::bf16:
      return all_below<uint16_t>(tensor.bytes.data(), tensor.bytes.size() / 2, 0x7F80U);
    case fbs::ElementType::f16:
      return all_below<uint16_t>(tensor.bytes.data(), tensor.bytes.size() / 2, 0x7C00U);
    default:
      return true;
  }
}

}  // namespace

Checksum checksum_of(std::span<const std::byte> bytes) noexcept {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

uint64_t element_bits(fbs::ElementType type) noexcept {
  switch (type) {
    case fbs::ElementType::s4:
      return 4;
    case fbs::ElementType::s8:
      return 8;
    case fbs::ElementType::u16:
    case fbs::ElementType::s16:
    case fbs::ElementType::bf16:
    case fbs::ElementType::f16:
      return 16;
    case fbs::ElementType::f32:
    case fbs::ElementType::s32:
      return 32;
  }
  return 0;
}

uint64_t bytes_of(fbs::ElementType type, uint64_t elements) noexcept {
  return elements * element_bits(type) / 8;
}

std::string to_hex(const Checksum& checksum) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(32, '0');
  for (size_t i = 0; i < 16; ++i) {
    text[i] = kDigits[checksum.high >> (60 - 4 * i) & 15];
    text[16 + i] = kDigits[checksum.low >> (60 - 4 * i) & 15];
  }
  return text;
}

uint64_t packed_length(const std::string& file, const fbs::Tensor& tensor) {
  const std::string place = "tensor " + tensor.name()->str();
  const uint64_t bits = element_bits(tensor.type());
  if (bits == 0) throw Error(file, place, "unknown element type");
  const uint64_t elements = packed_elements(file, place, tensor);
  if (bits < 8 && (tensor.packing() != fbs::Packing::rows || tensor.padded_columns() % kNibbleGroup != 0))
    throw Error(file, place, "expected 4-bit integers in rows of whole groups of 64");
  return multiply(file, place, elements, bits) / 8;
}

ModelFile::ModelFile(const std::filesystem::path& path)
    : file_(path), bytes_(file_.bytes()), name_(file_.path()) {
  open();
}

ModelFile::ModelFile(std::span<const std::byte> bytes, std::string name)
    : bytes_(bytes), name_(std::move(name)) {
  open();
}

void ModelFile::open() {
  check_header();
  check_tensors();
}

// The header: u32 size, a FlatBuffer of that size, XXH3-128 of all before it, zeros up to a multiple of 64.
void ModelFile::check_header() {
  if (bytes_.size() < kHeaderMinimum) {
    throw Error(name_, "header",
                "expected a kinglet model, found " + std::to_string(bytes_.size()) + " bytes");
  }
  if (std::memcmp(bytes_.data() + kIdentifierOffset, fbs::ModelIdentifier(), 4) != 0) {
    throw Error(name_, "byte 8", "expected the file identifier 'KNGL' of a kinglet model");
  }
  uint32_t size = 0;
  std::memcpy(&size, bytes_.data(), sizeof size);
  const uint64_t checked = sizeof size + uint64_t{size};
  if (size > kHeaderMaximum || checked + sizeof(Checksum) > bytes_.size()) {
    throw Error(name_, "byte 0", "the header's size " + std::to_string(size) + " does not fit the file");
  }
  Checksum stored;
  std::memcpy(&stored, bytes_.data() + checked, sizeof stored);
  if (checksum_of(bytes_.first(checked)) != stored) {
    throw Error(name_, "header", "checksum mismatch: the file is damaged");
  }
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(bytes_.data()), checked, 16, 1'000'000);
  if (!fbs::VerifySizePrefixedModelBuffer(verifier)) throw Error(name_, "header", "not a valid FlatBuffer");
  header_ = fbs::GetSizePrefixedModel(bytes_.data());
  header_length_ = align_up(checked + sizeof stored);
  if (header_->format_version() < kOldestModelFormatVersion ||
      header_->format_version() > kModelFormatVersion) {
    throw Error(name_, "header",
                "format version " + std::to_string(header_->format_version()) +
                    ", but this build reads versions " + std::to_string(kOldestModelFormatVersion) + " to " +
                    std::to_string(kModelFormatVersion));
  }
  if (header_->file_length() != bytes_.size()) {
    throw Error(name_, "header",
                "the file should have " + std::to_string(header_->file_length()) + " bytes, it has " +
                    std::to_string(bytes_.size()));
  }
  if (header_length_ > bytes_.size() ||
      !all_zero(bytes_.subspan(checked + sizeof stored, header_length_ - checked - sizeof stored))) {
    throw Error(name_, "header", "expected zeros between header and tensors");
  }
}

void ModelFile::check_tensors() {
  const auto& infos = *header_->tensors();
  std::set<std::string_view> names;
  uint64_t end = header_length_;
  tensors_.reserve(infos.size());
  for (const fbs::Tensor* info : infos) {
    const std::string place = "tensor " + info->name()->str();
    if (!names.insert(info->name()->string_view()).second) throw Error(name_, place, "the name stands twice");
    const uint64_t length = packed_length(name_, *info);
    if (info->length() != length) {
      throw Error(
          name_, place,
          "length " + std::to_string(info->length()) + ", but its shape needs " + std::to_string(length));
    }
    if (info->offset() != align_up(end)) {
      throw Error(name_, place,
                  "offset " + std::to_string(info->offset()) + ", expected " + std::to_string(align_up(end)));
    }
    if (info->offset() > bytes_.size() || length > bytes_.size() - info->offset()) {
      throw Error(name_, place, "reaches beyond the end of the file");
    }
    end = info->offset() + length;
    tensors_.push_back({info, bytes_.subspan(info->offset(), length)});
  }
  if (end != bytes_.size()) throw Error(name_, "end", "expected the last tensor to end the file");
}

const TensorView& ModelFile::tensor(std::string_view name, std::string_view place) const {
  for (const TensorView& tensor : tensors_) {
    if (tensor.info->name()->string_view() == name) return tensor;
  }
  throw Error(name_, place, "there is no tensor named '" + std::string(name) + "'");
}

void ModelFile::verify_tensors() const {
  uint64_t end = header_length_;
  for (const TensorView& tensor : tensors_) {
    const std::string place = "tensor " + tensor.info->name()->str();
    if (!all_zero(bytes_.subspan(end, tensor.info->offset() - end))) {
      throw Error(name_, place, "expected zeros before it");
    }
    end = tensor.info->offset() + tensor.bytes.size();
    if (checksum_of(tensor.bytes) != Checksum{tensor.info->checksum_low(), tensor.info->checksum_high()}) {
      throw Error(name_, place, "checksum mismatch: the file is damaged");
    }
    if (!all_finite(tensor)) throw Error(name_, place, "holds a value that is not finite");
    if (tensor.info->type() == fbs::ElementType::s8 && !all_symmetric(tensor)) {
      throw Error(name_, place, "holds -128, expected -127 to 127");
    }
  }
}

}  // namespace kinglet::formats
