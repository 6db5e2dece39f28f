#include <algorithm>
#include <charconv>
#include <optional>

#include "kinglet/converter/vocabulary.h"
#include "kinglet/formats/file.h"
#include "kinglet/formats/row.h"

#include "src/json.h"
#include "src/text.h"

namespace kinglet::converter {
namespace {

constexpr uint64_t kTableBytesPerFileByte = 16;
// Room for a codebook learned from few rows: a few hundred tokens among the 119,547 ids of a vocabulary.
constexpr uint64_t kTableBytesAtLeast = uint64_t{24} << 20;

// Ids are decimal without leading zeros: one spelling an id, so distinct keys are distinct ids.
std::optional<uint32_t> token_id(std::string_view key) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  const bool whole = error == std::errc() && end == key.data() + key.size();
  if (!whole || (key.size() > 1 && key[0] == '0') || id > RowLimits::token_id) return std::nullopt;
  return id;
}

// Collects the lists as they come; the table is made once the largest id is known.
class CodebookHandler final : public JsonHandler {
 public:
  CodebookHandler(std::string_view name, size_t file_bytes) : JsonHandler(name), file_bytes_(file_bytes) {}

  void begin_object() override {
    if (level_ != Level::document) refuse("an object");
    level_ = Level::object;
  }

  void key(std::string& key) override {
    key_ = std::move(key);
    const auto id = token_id(key_);
    if (!id) fail("expected a decimal token id of at most " + std::to_string(RowLimits::token_id));
    ids_.push_back(*id);
  }

  void begin_list() override {
    if (level_ != Level::object) refuse("a list");
    level_ = Level::list;
    length_ = 0;
  }

  void number(uint64_t number) override {
    if (level_ != Level::list) refuse("a number");
    if (number >= CodebookJson::kNoCode)
      fail("expected a code of at most 4294967294, got " + std::to_string(number));
    codes_.push_back(static_cast<uint32_t>(number));
    ++length_;
  }

  void end_list() override {
    level_ = Level::object;
    if (depth_ == 0) depth_ = length_;
    if (length_ == 0 || length_ != depth_) {
      fail("expected " + (depth_ == 0 ? "at least one code" : std::to_string(depth_) + " codes as before") +
           ", got " + std::to_string(length_));
    }
  }

  void end_object() override {
    key_.clear();
    level_ = Level::document;
  }

  CodebookJson table() const;

 private:
  enum class Level : uint8_t { document, object, list };

  std::string place() const override { return key_.empty() ? "" : "token " + in_quotes(key_); }
  std::string expected() const override {
    switch (level_) {
      case Level::document:
        return "an object of code lists by token id";
      case Level::object:
        return "a list of codes";
      case Level::list:
        break;
    }
    return "a code of 0 or more";
  }

  uint64_t file_bytes_;
  Level level_ = Level::document;
  std::string key_;
  std::vector<uint32_t> ids_;
  std::vector<uint32_t> codes_;  // depth_ for each of ids_
  size_t depth_ = 0;
  size_t length_ = 0;  // of the list being read
};

CodebookJson CodebookHandler::table() const {
  CodebookJson codebook;
  if (ids_.empty()) return codebook;
  codebook.depth = static_cast<uint32_t>(depth_);
  codebook.token_limit = *std::max_element(ids_.begin(), ids_.end()) + 1;
  // Neither product overflows: an id has 24 bits, a depth fewer than the file's bytes.
  const uint64_t table_codes = uint64_t{codebook.token_limit} * depth_;
  if (table_codes * sizeof(uint32_t) > kTableBytesPerFileByte * file_bytes_ + kTableBytesAtLeast) {
    fail("its token ids are too sparse: the largest is " + std::to_string(codebook.token_limit - 1) +
         " among " + std::to_string(ids_.size()));
  }
  codebook.codes.assign(table_codes, CodebookJson::kNoCode);
  for (size_t index = 0; index < ids_.size(); ++index) {
    const auto place = codebook.codes.begin() + static_cast<std::ptrdiff_t>(uint64_t{ids_[index]} * depth_);
    if (*place != CodebookJson::kNoCode) fail("token \"" + std::to_string(ids_[index]) + "\" stands twice");
    std::copy_n(codes_.begin() + static_cast<std::ptrdiff_t>(index * depth_), depth_, place);
  }
  return codebook;
}

}  // namespace

CodebookJson read_codebook(std::span<const std::byte> bytes, const std::string& name) {
  CodebookHandler handler(name, bytes.size());
  parse_json(bytes, name, handler);
  return handler.table();
}

CodebookJson read_codebook(const std::filesystem::path& path) {
  const formats::MappedFile file(path);
  return read_codebook(file.bytes(), file.path());
}

}  // namespace kinglet::converter
