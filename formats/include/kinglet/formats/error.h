#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace kinglet {

/// The one exception of the cold paths (opening, reading, converting, building). The message is one line that
/// names the file, the place in it and what was expected. Nothing on the scoring path throws.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;

  /// "FILE: PLACE: MESSAGE"; an empty place is left out.
  Error(std::string_view file, std::string_view place, std::string_view message)
      : std::runtime_error(join(file, place, message)) {}

 private:
  static std::string join(std::string_view file, std::string_view place, std::string_view message) {
    std::string text(file);
    if (!place.empty()) text.append(": ").append(place);
    return text.append(": ").append(message);
  }
};

/// Thrown out of a progress callback to stop long work; temporary files are removed on the way out.
class Interrupted : public Error {
 public:
  Interrupted() : Error("interrupted") {}
};

}  // namespace kinglet
