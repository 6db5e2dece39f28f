#include <algorithm>
#include <unordered_set>

#include "kinglet/converter/vocabulary.h"
#include "kinglet/formats/error.h"
#include "kinglet/formats/file.h"
#include "kinglet/formats/row.h"

#include "src/json.h"
#include "src/pickle.h"
#include "src/pickle_opcodes.h"
#include "src/text.h"

namespace kinglet::converter {
namespace {

constexpr uint64_t kMaxRow = 65'535;

// Collects names with their rows and refuses what is out of bounds or given twice.
class TableBuilder {
 public:
  explicit TableBuilder(std::string_view file) : file_(file), rows_seen_(kMaxRow + 1) {}

  void add(std::string name, uint64_t row) {
    if (name.size() > RowLimits::id_bytes) {
      fail(name, "expected a name of at most " + std::to_string(RowLimits::id_bytes) + " bytes");
    }
    if (row > kMaxRow) fail(name, "expected a row of at most " + std::to_string(kMaxRow));
    if (rows_seen_[row]) fail(name, "row " + std::to_string(row) + " has another language already");
    if (!names_seen_.insert(name).second) fail(name, "this language stands twice");
    rows_seen_[row] = true;
    table_.emplace_back(std::move(name), static_cast<uint32_t>(row));
  }

  LanguageTable take() {
    std::sort(table_.begin(), table_.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    return std::move(table_);
  }

 private:
  [[noreturn]] void fail(std::string_view name, std::string_view message) const {
    throw Error(file_, "language " + in_quotes(name), message);
  }

  std::string_view file_;
  LanguageTable table_;
  std::vector<bool> rows_seen_;
  std::unordered_set<std::string> names_seen_;
};

class LanguageHandler final : public JsonHandler {
 public:
  explicit LanguageHandler(std::string_view name) : JsonHandler(name), builder_(name) {}

  void begin_object() override {
    if (in_object_) refuse("an object");
    in_object_ = true;
  }
  void key(std::string& key) override { key_ = std::move(key); }
  void number(uint64_t number) override {
    if (!in_object_) refuse("a number");
    builder_.add(key_, number);
  }
  void end_object() override {}
  LanguageTable take() { return builder_.take(); }

 private:
  std::string place() const override { return in_object_ ? "language " + in_quotes(key_) : ""; }
  std::string expected() const override {
    return in_object_ ? "a row number" : "an object of rows by language";
  }

  TableBuilder builder_;
  bool in_object_ = false;
  std::string key_;
};

LanguageTable read_json(std::span<const std::byte> bytes, const std::string& name) {
  LanguageHandler handler(name);
  parse_json(bytes, name, handler);
  return handler.take();
}

LanguageTable read_pickled(std::span<const std::byte> bytes, const std::string& name) {
  const Pickle pickle = read_pickle(bytes, name, {});
  const PickleValue& dict = pickle.root();
  if (dict.kind != PickleKind::dict) {
    throw Error(name, "",
                std::string("expected a dict of rows by language, got ") + pickle_kind_name(dict.kind));
  }
  TableBuilder builder(name);
  for (size_t index = 0; index < dict.items.size(); index += 2) {
    const PickleValue& language = pickle[dict.items[index]];
    const PickleValue& row = pickle[dict.items[index + 1]];
    if (language.kind != PickleKind::text) {
      throw Error(name, "",
                  std::string("expected a language to be a str, got ") + pickle_kind_name(language.kind));
    }
    if (row.kind != PickleKind::integer || row.integer < 0) {
      throw Error(name, "language " + in_quotes(language.text), "expected a row number");
    }
    builder.add(std::string(language.text), static_cast<uint64_t>(row.integer));
  }
  return builder.take();
}

}  // namespace

LanguageTable read_languages(std::span<const std::byte> bytes, const std::string& name) {
  const bool pickled = !bytes.empty() && bytes[0] == static_cast<std::byte>(PickleOpcode::proto);
  return pickled ? read_pickled(bytes, name) : read_json(bytes, name);
}

LanguageTable read_languages(const std::filesystem::path& path) {
  const formats::MappedFile file(path);
  return read_languages(file.bytes(), file.path());
}

}  // namespace kinglet::converter
