#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "kinglet/formats/row.h"

#include "src/accounts.h"
#include "src/tweets.h"

namespace kinglet::simulate {

/// Writes what the world holds in the row format; ids are hashes of nothing real, 32 hexadecimal digits.
class RowText {
 public:
  explicit RowText(uint64_t seed) : seed_(seed) {}

  /// Fields 0 to 13, what the tweet decides, each with its separator.
  void append_tweet(const Tweet& tweet, std::string& text) const;
  /// Fields 14 to 23 and the newline. `timestamps` is indexed by Reaction, 0 = did not happen.
  void append_reader(const Account& reader, uint32_t day, bool follows,
                     const std::array<int64_t, kReactions>& timestamps, std::string& text) const;
  /// A line of a scores file.
  void append_truth(const Tweet& tweet, const Account& reader,
                    const std::array<float, kReactions>& probabilities, std::string& text) const;

 private:
  void append_id(Purpose purpose, uint64_t number, std::string& text) const;
  void append_account(const Account& account, uint32_t day, std::string& text) const;
  void append_attachments(const Tweet& tweet, std::string& text) const;

  uint64_t seed_;
};

}  // namespace kinglet::simulate
