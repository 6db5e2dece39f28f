#include "src/npy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "kinglet/formats/error.h"

#include "src/limits.h"
#include "src/text.h"

namespace kinglet::converter {
namespace {

// Byte order, kind and size; one byte has no order ('|').
constexpr std::array<std::pair<std::string_view, ElementType>, 12> kTypes{{
    {"<f2", ElementType::f16},
    {"<f4", ElementType::f32},
    {"<f8", ElementType::f64},
    {"|i1", ElementType::i8},
    {"<i2", ElementType::i16},
    {"<i4", ElementType::i32},
    {"<i8", ElementType::i64},
    {"|u1", ElementType::u8},
    {"<u2", ElementType::u16},
    {"<u4", ElementType::u32},
    {"<u8", ElementType::u64},
    {"|b1", ElementType::boolean},
}};

class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  NpyHeader parse() {
    expect('{');
    while (!accept('}')) {
      parse_item();
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) fail("expected the end of the header");
    if (!type_ || !column_major_ || !shape_) fail("expected \"descr\", \"fortran_order\" and \"shape\"");
    return {*type_, *column_major_, std::move(*shape_)};
  }

 private:
  void parse_item() {
    const std::string_view key = string();
    expect(':');
    if (key == "descr" && !type_) {
      type_ = type();
    } else if (key == "fortran_order" && !column_major_) {
      column_major_ = boolean();
    } else if (key == "shape" && !shape_) {
      shape_ = tuple();
    } else {
      fail("expected each of \"descr\", \"fortran_order\" and \"shape\" once, got " + in_quotes(key));
    }
  }

  std::string_view string() {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail("expected a string");
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("expected the string to end");
    const auto string = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return string;
  }

  ElementType type() {
    if (accept('[')) fail("structured arrays are not supported");
    const std::string_view descr = string();
    const auto known =
        std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& type) { return type.first == descr; });
    if (known != kTypes.end()) return known->second;
    if (descr.starts_with('>')) fail("expected a little-endian array, got " + in_quotes(descr));
    if (descr.find('O') != std::string_view::npos) fail("arrays of Python objects are not supported");
    fail("expected a number type (<f2 <f4 <f8, |i1 <i2 <i4 <i8, |u1 <u2 <u4 <u8 or |b1), got " +
         in_quotes(descr));
  }

  bool boolean() {
    skip_space();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    }
    fail("expected True or False");
  }

  std::vector<uint64_t> tuple() {
    std::vector<uint64_t> sizes;
    expect('(');
    while (!accept(')')) {
      if (sizes.size() == kMaxDimensions) fail("more than " + std::to_string(kMaxDimensions) + " dimensions");
      sizes.push_back(number());
      const bool comma = accept(',');
      if (!comma && sizes.size() == 1) fail("expected ',' after a tuple's only item");
      if (!comma) {
        expect(')');
        break;
      }
    }
    return sizes;
  }

  uint64_t number() {
    skip_space();
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
    if (error != std::errc()) fail("expected a size of 64 bits");
    at_ = static_cast<size_t>(end - text_.data());
    return number;
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }

  bool accept(char wanted) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  void expect(char wanted) {
    if (!accept(wanted)) fail(std::string("expected '") + wanted + "'");
  }

  [[noreturn]] void fail(std::string_view message) const {
    throw Error(name_, "header character " + std::to_string(at_), message);
  }

  std::string_view text_;
  std::string_view name_;
  size_t at_ = 0;
  std::optional<ElementType> type_;
  std::optional<bool> column_major_;
  std::optional<std::vector<uint64_t>> shape_;
};

}  // namespace

NpyHeader parse_npy_header(std::string_view text, std::string_view name) {
  return HeaderParser(text, name).parse();
}

}  // namespace kinglet::converter
