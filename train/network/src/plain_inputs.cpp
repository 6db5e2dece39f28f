#include "plain_inputs.h"

#include <algorithm>
#include <bit>

#include "kinglet/features/row_features.h"

namespace kinglet::train {
namespace {

/// Sums over similar authors, and of their similarities.
constexpr size_t kFirstSimilar = 20;
constexpr size_t kSimilar = 5;
/// Numeric features behind the history's: hashtags and tokens are content, the other six are of accounts.
constexpr size_t kFirstAccountNumeric = features::kHistoryValues + 2;
/// Flags 0 to 2 are of accounts: engagee_follows_engager, author and reader verified.
constexpr size_t kAccountFlags = 3;

bool numeric_is_on(const FeatureGroups& groups, size_t numeric) noexcept {
  if (numeric >= kFirstSimilar && numeric < kFirstSimilar + kSimilar) return groups.similar;
  if (numeric >= features::kFirstFineAge) return groups.accounts;
  if (numeric < features::kHistoryValues || numeric >= kRowNumerics) return groups.interactions;
  return numeric < kFirstAccountNumeric ? groups.content : groups.accounts;
}

}  // namespace

PlainInputs::PlainInputs(const FeatureSet& set, const FeatureGroups& groups)
    : encoding_(set.numeric_encoding()),
      on_(set.plain_inputs()),
      zeros_(set.plain_inputs()),
      flag_count_(set.flag_count()) {
  place_.fill(-1);
  size_t next = 0;
  for (const size_t numeric : set.numerics()) {
    if (numeric_is_on(groups, numeric)) {
      place_[numeric] = static_cast<int32_t>(next);
      std::fill_n(on_.begin() + static_cast<std::ptrdiff_t>(next), encoding_.values(), uint8_t{1});
      encoding_.encode(0, zeros_.data() + next);
    }
    next += encoding_.values();
  }
  first_flag_ = next;
  for (size_t i = 0; i < flag_count_; ++i) {
    const bool on = i < kAccountFlags ? groups.accounts : groups.content;
    on_[first_flag_ + i] = on ? 1 : 0;
    flags_on_ |= static_cast<uint64_t>(on) << i;
  }
}

void PlainInputs::fill(const CachedRow& row, float* out) const {
  std::copy(zeros_.begin(), zeros_.end(), out);
  size_t next = 0;
  for (size_t word = 0; word < row.numeric_mask.size(); ++word) {
    for (uint64_t mask = row.numeric_mask[word]; mask != 0; mask &= mask - 1) {
      const int32_t place = place_[word * 64 + static_cast<size_t>(std::countr_zero(mask))];
      const double value = row.numerics[next++];
      if (place >= 0) encoding_.encode(value, out + place);
    }
  }
  for (size_t i = 0; i < flag_count_; ++i) {
    out[first_flag_ + i] = (row.flags & flags_on_) >> i & 1 ? 1.0F : 0.0F;
  }
}

bool embedding_is_on(const FeatureGroups& groups, size_t i) noexcept {
  return i == 0 ? groups.content : groups.calendar;
}

}  // namespace kinglet::train
