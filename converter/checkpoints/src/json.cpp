#include "src/json.h"

#include <nlohmann/json.hpp>

#include "kinglet/formats/error.h"

namespace kinglet::converter {
namespace {

using Json = nlohmann::json;

// Passes nlohmann's events on. Its parser keeps no tree and does not recurse. Handlers leave by throwing.
class Events final : public Json::json_sax_t {
 public:
  Events(std::string_view name, JsonHandler& handler) : name_(name), handler_(handler) {}

  bool null() override { handler_.refuse("null"); }
  bool boolean(bool /*value*/) override { handler_.refuse("a boolean"); }
  bool number_integer(number_integer_t /*value*/) override { handler_.refuse("a negative number"); }
  bool number_unsigned(number_unsigned_t value) override { return handler_.number(value), true; }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override {
    handler_.refuse("a number that is no integer of 64 bits");
  }
  bool string(string_t& value) override { return handler_.text(value), true; }
  bool binary(binary_t& /*value*/) override { handler_.refuse("binary data"); }
  bool start_object(std::size_t /*elements*/) override { return handler_.begin_object(), true; }
  bool key(string_t& value) override { return handler_.key(value), true; }
  bool end_object() override { return handler_.end_object(), true; }
  bool start_array(std::size_t /*elements*/) override { return handler_.begin_list(), true; }
  bool end_array() override { return handler_.end_list(), true; }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const Json::exception& /*error*/) override {
    throw Error(name_, "byte " + std::to_string(position), "expected valid JSON in UTF-8");
  }

 private:
  std::string_view name_;
  JsonHandler& handler_;
};

}  // namespace

void JsonHandler::refuse(std::string_view got) const {
  fail("expected " + expected() + ", got " + std::string(got));
}

void JsonHandler::fail(std::string_view message) const {
  throw Error(name_, place(), message);
}

void parse_json(std::span<const std::byte> bytes, std::string_view name, JsonHandler& handler) {
  Events events(name, handler);
  const auto* begin = reinterpret_cast<const char*>(bytes.data());
  Json::sax_parse(begin, begin + bytes.size(), &events);
}

}  // namespace kinglet::converter
