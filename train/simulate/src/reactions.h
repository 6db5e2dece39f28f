#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kinglet/formats/row.h"

#include "src/accounts.h"
#include "src/tweets.h"

namespace kinglet::simulate {

/// Indexed by Reaction.
using Logits = std::array<double, kReactions>;

/// How readers react: one sum of effects a reaction (docs/simulate.md lists them), whose sigmoid is the true
/// probability. Immutable but for the base rates.
class Reactions {
 public:
  Reactions(uint64_t seed, const Tweets& tweets, uint32_t languages);

  /// What the tweet adds, whoever reads it.
  Logits of_tweet(const Tweet& tweet) const noexcept;
  /// of_tweet() and what the reader adds.
  Logits of_row(const Logits& of_tweet, const Tweet& tweet, const Account& reader,
                bool follows) const noexcept;

  /// Makes kBaseRates the mean probabilities of a sample of rows.
  void set_base_rates(const std::vector<Logits>& sample) noexcept;
  std::array<float, kReactions> probabilities(const Logits& of_row) const noexcept;

 private:
  using Table = std::vector<Logits>;
  Table table(Purpose purpose, size_t entries, double deviation) const;

  uint64_t seed_;
  const Tweets* tweets_;
  Table topics_, subtopics_, styles_in_topics_, style_pairs_, generations_, languages_, hours_;
  Logits bias_{};
};

/// The real data's rates: like 40 %, reply 3 %, retweet 9 %, quote 0.7 %.
inline constexpr Logits kBaseRates{0.40, 0.03, 0.09, 0.007};

}  // namespace kinglet::simulate
