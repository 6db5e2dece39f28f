#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kinglet::converter {

/// Receives a JSON document piece by piece. Whatever a reader does not override is refused, negative numbers,
/// fractions, booleans and null always; so no document grows deeper than its reader's grammar. The parser
/// guarantees that keys, values and ends come in valid JSON order.
class JsonHandler {
 public:
  explicit JsonHandler(std::string_view name) : name_(name) {}
  JsonHandler(const JsonHandler&) = delete;
  JsonHandler& operator=(const JsonHandler&) = delete;
  virtual ~JsonHandler() = default;

  virtual void number(uint64_t /*number*/) { refuse("a number"); }
  virtual void text(std::string& /*text*/) { refuse("a string"); }
  virtual void begin_object() { refuse("an object"); }
  virtual void key(std::string& key) = 0;
  virtual void end_object() = 0;
  virtual void begin_list() { refuse("a list"); }
  virtual void end_list() {}

  /// Throws Error: "NAME: PLACE: expected ..., got GOT".
  [[noreturn]] void refuse(std::string_view got) const;
  [[noreturn]] void fail(std::string_view message) const;

 protected:
  /// Where the reader is, e.g. the quoted key; empty at the top.
  virtual std::string place() const = 0;
  /// What is expected there.
  virtual std::string expected() const = 0;

 private:
  std::string_view name_;
};

/// Feeds one JSON document to `handler`. Throws Error with the byte offset on anything but UTF-8 JSON to the
/// end.
void parse_json(std::span<const std::byte> bytes, std::string_view name, JsonHandler& handler);

}  // namespace kinglet::converter
