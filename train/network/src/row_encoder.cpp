#include "row_encoder.h"

#include "kinglet/features/row_features.h"
#include "kinglet/request.h"

namespace kinglet::train {

uint8_t target_bits(const Row& row) noexcept {
  constexpr std::array<Reaction, kTargets> kOrder{Reaction::like, Reaction::retweet, Reaction::quote,
                                                  Reaction::reply};
  unsigned bits = 0;
  for (size_t t = 0; t < kTargets; ++t) bits |= static_cast<unsigned>(row.reacted(kOrder[t])) << t;
  return static_cast<uint8_t>(bits);
}

const CachedRow& RowEncoder::encode(const Row& row, const features::HistorySource& source) {
  constexpr int64_t kDaySeconds = 86'400;
  using features::kHistoryValues, features::kShownValues;
  features::history_values(
      row, source, std::span<double, kHistoryValues>(all_.data(), kHistoryValues),
      std::span<double, kShownValues>(all_.data() + features::kFirstShownNumeric, kShownValues));
  features::fill_counts_and_ages(row, all_.data());
  features::fill_fine_ages(
      row, std::span<double, kFineAgeNumerics>(all_.data() + features::kFirstFineAge, kFineAgeNumerics));
  cached_.numeric_mask = {};
  size_t count = 0;
  for (size_t i = 0; i < all_.size(); ++i) {
    if (all_[i] == 0) continue;
    cached_.numeric_mask[i / 64] |= uint64_t{1} << (i % 64);
    not_zero_[count++] = all_[i];
  }
  cached_.numerics = {not_zero_.data(), count};
  tokens_.clear();
  for (const uint32_t token : row.tokens.subspan(1, row.tokens.size() - 2)) {
    ++tokens_seen_;
    if (table_.knows(token)) tokens_.push_back(token);
  }
  tokens_known_ += tokens_.size();
  cached_.tokens = tokens_;
  cached_.flags = features::row_flags(row);
  cached_.labels = target_bits(row);
  cached_.categories = {languages_.row(row.language),
                        static_cast<uint32_t>(row.tweet_timestamp % kDaySeconds / 3'600),
                        features::day_of_month(row.tweet_timestamp) - 1};
  return cached_;
}

}  // namespace kinglet::train
