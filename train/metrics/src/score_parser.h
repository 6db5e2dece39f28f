#pragma once

#include <string>
#include <string_view>

#include "kinglet/metrics/scores_reader.h"

namespace kinglet::metrics {

/// Parses the lines of a scores file (RFC 4180). Quoted ids are unquoted into this object.
class ScoreParser {
 public:
  /// `line` is without its end. The score's ids point into `line` and into this parser. Throws Error with
  /// the column and the reason: the caller knows file and line.
  void parse(std::string_view line, Score& score);

 private:
  std::string_view take_id(std::string_view& rest, std::string_view column, std::string& unquoted);

  std::string tweet_id_, reader_id_;
};

/// What was found, quoted and cut short for a message.
std::string shown(std::string_view text);

}  // namespace kinglet::metrics
