#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace kinglet {

/// What the network predicts, in the order of its logits (spec section 6).
enum class Target : uint8_t { like, retweet, quote, reply };
inline constexpr size_t kTargets = 4;
inline constexpr std::array<std::string_view, kTargets> kTargetNames = {"like", "retweet", "quote", "reply"};

/// The largest magnitude of a numeric value that a model takes: Fourier arguments are reduced exactly up to
/// here.
inline constexpr double kNumericLimit = 68'719'476'736.0;  // 2^36

/// One tweet shown to one reader, as the network sees it. Spans need to live only during the call.
struct Request {
  /// The tweet's token ids, [CLS] and [SEP] included; the first and the last do not enter the sketch. Ids
  /// that the codebook does not know are skipped. At most 2^24.
  std::span<const uint32_t> tokens;
  /// One value a numeric feature, in the layout's order, before encoding: finite, |value| <= kNumericLimit.
  std::span<const double> numerics;
  /// Bit i = flag i of the layout.
  uint64_t flags = 0;
  /// One category an embedding, in the layout's order (language, hour 0..23, day of the month minus 1).
  std::span<const uint32_t> categories;
};

struct Scores {
  std::array<float, kTargets> logits{};         // indexed by Target
  std::array<float, kTargets> probabilities{};  // sigmoid of each

  float probability(Target target) const noexcept { return probabilities[static_cast<size_t>(target)]; }
};

/// What score() answers. On anything but ok the scores are left as they were.
enum class Status : uint8_t {
  ok,
  too_many_tokens,
  wrong_numeric_count,
  numeric_out_of_range,  // not finite, or beyond kNumericLimit
  unknown_flag,          // a bit beyond the layout's flags
  wrong_category_count,
  category_out_of_range,
  layout_needs_request,      // the layout has features that a row and its history cannot give
  not_prepared,              // a candidate's tweet or reader is missing, empty, or of another model
  too_few_scores,            // fewer places than candidates
  layout_needs_communities,  // the layout has community features, and no communities were given
};
std::string_view status_text(Status status) noexcept;

/// The communities of one row's author and reader, one entry a reaction (spec section 4), from whoever found
/// them.
struct Communities {
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();
  /// Indexed by Reaction; kNone: in no community.
  std::array<uint32_t, 4> author{kNone, kNone, kNone, kNone};
  std::array<uint32_t, 4> reader{kNone, kNone, kNone, kNone};
  /// Members of the author's community, at least 1 where there is one.
  std::array<uint32_t, 4> size{};
};

}  // namespace kinglet
