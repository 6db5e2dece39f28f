#include "text_vectors.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "kinglet/formats/error.h"
#include "kinglet/formats/row.h"

namespace kinglet::converter {
namespace {

constexpr std::string_view kBlanks = " \t\r";

/// The words of one line, front to back.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}

  /// The next word, empty at the end.
  std::string_view next() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlanks), rest_.size()));
    const auto word = rest_.substr(0, rest_.find_first_of(kBlanks));
    rest_.remove_prefix(word.size());
    return word;
  }

 private:
  std::string_view rest_;
};

template <typename Number>
std::optional<Number> parse(std::string_view word) {
  Number number{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return number;
}

class TextReader {
 public:
  TextReader(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  TokenVectors read() {
    for (; !text_.empty(); ++line_) {
      const auto line = text_.substr(0, text_.find('\n'));
      text_.remove_prefix(std::min(line.size() + 1, text_.size()));
      if (line_ == 1 && take_header(line)) continue;
      add(line);
    }
    return std::move(vectors_);
  }

 private:
  /// word2vec begins with the numbers of tokens and dimensions. (A token with a vector of one whole number
  /// would look the same: its dimensions tell, for a header must agree with the line that follows.)
  bool take_header(std::string_view line) {
    Words words(line);
    const auto tokens = parse<uint64_t>(words.next());
    const auto dimensions = parse<uint64_t>(words.next());
    if (!tokens || !dimensions || !words.next().empty()) return false;
    Words following(text_.substr(0, text_.find('\n')));
    uint64_t count = 0;
    while (!following.next().empty()) ++count;
    return count == *dimensions + 1;
  }

  void add(std::string_view line) {
    Words words(line);
    const auto word = words.next();
    const auto id = parse<uint32_t>(word);
    if (!id || *id > RowLimits::token_id)
      fail("expected a token id of at most " + std::to_string(RowLimits::token_id) + " first");
    size_t count = 0;
    for (auto number = words.next(); !number.empty(); number = words.next(), ++count) {
      if (count == kMaxVectorDimensions)
        fail("more than " + std::to_string(kMaxVectorDimensions) + " numbers");
      const auto value = parse<float>(number);
      if (!value || !std::isfinite(*value))
        fail("expected a finite number in place " + std::to_string(count + 1));
      vectors_.values.push_back(*value);
    }
    if (count == 0) fail("expected numbers behind the token id");
    if (vectors_.ids.empty()) vectors_.dimensions = count;
    if (count != vectors_.dimensions)
      fail("expected " + std::to_string(vectors_.dimensions) + " numbers as before, got " +
           std::to_string(count));
    vectors_.ids.push_back(*id);
  }

  [[noreturn]] void fail(std::string_view message) const {
    throw Error(name_, "line " + std::to_string(line_), message);
  }

  std::string_view text_;
  const std::string& name_;
  uint64_t line_ = 1;
  TokenVectors vectors_;
};

}  // namespace

TokenVectors read_text_vectors(std::span<const std::byte> bytes, const std::string& name) {
  return TextReader({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name).read();
}

}  // namespace kinglet::converter
