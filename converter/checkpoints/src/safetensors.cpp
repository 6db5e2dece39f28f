#include "src/safetensors.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "kinglet/formats/error.h"
#include "kinglet/formats/file.h"

#include "src/byte_cursor.h"
#include "src/json.h"
#include "src/limits.h"
#include "src/strided.h"
#include "src/text.h"

namespace kinglet::converter {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr std::string_view kMetadata = "__metadata__";

constexpr std::array<std::pair<std::string_view, ElementType>, 13> kTypes{{
    {"F16", ElementType::f16},
    {"BF16", ElementType::bf16},
    {"F32", ElementType::f32},
    {"F64", ElementType::f64},
    {"I8", ElementType::i8},
    {"U8", ElementType::u8},
    {"I16", ElementType::i16},
    {"U16", ElementType::u16},
    {"I32", ElementType::i32},
    {"U32", ElementType::u32},
    {"I64", ElementType::i64},
    {"U64", ElementType::u64},
    {"BOOL", ElementType::boolean},
}};

// One entry of the header, as stated.
struct HeaderEntry {
  std::optional<ElementType> type;
  std::optional<std::vector<uint64_t>> shape;
  std::optional<std::vector<uint64_t>> offsets;  // begin and end in the data
};

using Header = std::map<std::string, HeaderEntry, std::less<>>;

// {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..., "__metadata__": {"KEY": "TEXT",
// ...}}
class HeaderHandler final : public JsonHandler {
 public:
  using JsonHandler::JsonHandler;

  void begin_object() override {
    if (level_ == 2) refuse("an object");
    ++level_;
  }

  void key(std::string& key) override {
    if (level_ == 1) {
      begin_entry(key);
    } else {
      begin_field(key);
    }
  }

  void end_object() override {
    if (level_-- == 2 && !in_metadata_ && !(entry_->type && entry_->shape && entry_->offsets)) {
      fail("expected \"dtype\", \"shape\" and \"data_offsets\"");
    }
    field_.clear();
  }

  void text(std::string& text) override {
    if (level_ == 2 && in_metadata_) return;
    if (level_ != 2 || field_ != "dtype") refuse("a string");
    const auto known =
        std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& type) { return type.first == text; });
    if (known == kTypes.end()) refuse(in_quotes(text));
    entry_->type = known->second;
  }

  void begin_list() override {
    if (level_ != 2 || in_list_ || in_metadata_ || field_ == "dtype") refuse("a list");
    in_list_ = true;
    (field_ == "shape" ? entry_->shape : entry_->offsets).emplace();
  }

  void number(uint64_t number) override {
    if (!in_list_) refuse("a number");
    auto& numbers = field_ == "shape" ? *entry_->shape : *entry_->offsets;
    if (numbers.size() == (field_ == "shape" ? kMaxDimensions : 2)) refuse("more");
    numbers.push_back(number);
  }

  void end_list() override {
    in_list_ = false;
    if (field_ == "data_offsets" && entry_->offsets->size() != 2) refuse("fewer");
  }

  Header take() { return std::move(header_); }

 private:
  void begin_entry(std::string& name) {
    name_ = name;
    in_metadata_ = name == kMetadata;
    if (in_metadata_) {
      if (std::exchange(metadata_seen_, true)) fail("this key stands twice");
      return;
    }
    if (header_.size() == kMaxTensors) fail("more than " + std::to_string(kMaxTensors) + " tensors");
    const auto [place, inserted] = header_.try_emplace(std::move(name));
    if (!inserted) fail("this key stands twice");
    entry_ = &place->second;
  }

  void begin_field(std::string& field) {
    field_ = std::move(field);
    if (in_metadata_) return;
    const bool twice = (field_ == "dtype" && entry_->type) || (field_ == "shape" && entry_->shape) ||
                       (field_ == "data_offsets" && entry_->offsets);
    if (twice) fail("this key stands twice");
    if (field_ != "dtype" && field_ != "shape" && field_ != "data_offsets") {
      fail("expected \"dtype\", \"shape\" or \"data_offsets\"");
    }
  }

  std::string place() const override {
    if (level_ == 0) return "header";
    return level_ == 1 || field_.empty() ? in_quotes(name_) : in_quotes(name_) + ": " + in_quotes(field_);
  }

  std::string expected() const override {
    if (level_ < 2) return "an object";
    if (in_metadata_) return "a string";
    if (field_ == "dtype") return "the name of a supported type";
    return field_ == "shape" ? "a list of at most " + std::to_string(kMaxDimensions) + " sizes"
                             : "a list of two offsets";
  }

  Header header_;
  std::string name_;
  std::string field_;
  HeaderEntry* entry_ = nullptr;
  int level_ = 0;  // of open objects
  bool in_list_ = false;
  bool in_metadata_ = false;
  bool metadata_seen_ = false;
};

void check_bytes(const std::string& file, const std::string& name, const HeaderEntry& entry) {
  const uint64_t begin = (*entry.offsets)[0];
  const uint64_t end = (*entry.offsets)[1];
  const auto bytes = tensor_bytes(*entry.type, *entry.shape);
  if (begin > end || !bytes || end - begin != *bytes) {
    throw Error(file, in_quotes(name), "expected data_offsets to span exactly its type and shape");
  }
}

// The format allows neither holes nor sharing: in order of their offsets, the tensors tile the data exactly.
void check_tiling(const std::string& file, const Header& header, uint64_t data_bytes) {
  std::vector<const Header::value_type*> order;
  for (const auto& entry : header) order.push_back(&entry);
  std::sort(order.begin(), order.end(),
            [](const auto* a, const auto* b) { return *a->second.offsets < *b->second.offsets; });
  uint64_t next = 0;
  for (const auto* entry : order) {
    if ((*entry->second.offsets)[0] != next) {
      throw Error(file, in_quotes(entry->first), "expected its data at offset " + std::to_string(next));
    }
    next = (*entry->second.offsets)[1];
  }
  if (next != data_bytes) {
    throw Error(file, "",
                "expected " + std::to_string(next) + " bytes of data, got " + std::to_string(data_bytes));
  }
}

// The header with its offsets, padded with spaces so that the data begins on a multiple of 8.
std::string header_text(const TensorMap& tensors) {
  std::string text = "{";
  uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    if (text.size() > 1) text += ',';
    const auto type = std::find_if(kTypes.begin(), kTypes.end(), [wanted = tensor.type](const auto& known) {
      return known.second == wanted;
    });
    text += '"' + name + R"(":{"dtype":")" + std::string(type->first) + R"(","shape":[)";
    for (size_t dimension = 0; dimension < tensor.shape.size(); ++dimension) {
      if (dimension > 0) text += ',';
      text += std::to_string(tensor.shape[dimension]);
    }
    text += R"(],"data_offsets":[)" + std::to_string(offset);
    offset += tensor.bytes.size();
    text += ',' + std::to_string(offset) + "]}";
  }
  text += '}';
  text.resize((text.size() + kLengthBytes - 1) / kLengthBytes * kLengthBytes, ' ');
  return text;
}

}  // namespace

bool is_safetensors(std::span<const std::byte> bytes) noexcept {
  return bytes.size() > kLengthBytes && bytes[kLengthBytes] == std::byte{'{'};
}

Checkpoint read_safetensors(std::span<const std::byte> bytes, const std::string& name) {
  ByteCursor cursor(bytes, name);
  const auto header_bytes = cursor.read<uint64_t>();
  if (header_bytes > kMaxSafetensorsHeader) {
    cursor.fail_at(0, "expected a header of at most " + std::to_string(kMaxSafetensorsHeader) + " bytes");
  }
  HeaderHandler handler(name);
  parse_json(cursor.take(header_bytes), name, handler);
  Header header = handler.take();
  const auto data = cursor.take(cursor.remaining());
  for (const auto& [tensor, entry] : header) check_bytes(name, tensor, entry);
  check_tiling(name, header, data.size());

  Checkpoint checkpoint;
  checkpoint.format = "safetensors";
  for (auto& [tensor, entry] : header) {
    const auto taken = data.subspan((*entry.offsets)[0], (*entry.offsets)[1] - (*entry.offsets)[0]);
    checkpoint.tensors.emplace(tensor, Tensor{*entry.type, std::move(*entry.shape),
                                              std::vector<std::byte>(taken.begin(), taken.end())});
  }
  return checkpoint;
}

void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors) {
  const std::string header = header_text(tensors);
  const uint64_t header_bytes = header.size();
  formats::AtomicFile file(path);
  file.write(&header_bytes, sizeof header_bytes);
  file.write(header);
  for (const auto& [name, tensor] : tensors) file.write(tensor.bytes.data(), tensor.bytes.size());
  file.commit();
}

}  // namespace kinglet::converter
