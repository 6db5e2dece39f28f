#include "row_cache.h"

#include <fmt/format.h>

#include "kinglet/formats/error.h"

namespace kinglet::train {

// A record: the head, the numerics, the tokens, zeros up to a multiple of 8 bytes.
struct RowCache::Head {
  uint64_t flags;
  std::array<uint64_t, 2> numeric_mask;
  uint32_t tokens;
  uint16_t language;
  uint8_t hour;
  uint8_t day;
  uint64_t labels;
};

void RowCache::append(const void* data, size_t size) {
  XXH3_128bits_update(&hash_state_, data, size);
  file_.append(data, size);
}

void RowCache::add(const CachedRow& row, int64_t part) {
  static_assert(sizeof(Head) == 40);
  constexpr size_t kMaximum = 0xFFFF'FFFF;
  if (starts_.empty()) XXH3_128bits_reset(&hash_state_);
  if (starts_.size() == kMaximum) throw Error("more than 2^32 - 1 rows to train on");
  starts_.push_back(file_.size());
  parts_.push_back(static_cast<int32_t>(part));
  XXH3_128bits_update(&hash_state_, &parts_.back(), sizeof(int32_t));
  const Head head{row.flags,
                  row.numeric_mask,
                  static_cast<uint32_t>(row.tokens.size()),
                  static_cast<uint16_t>(row.categories[0]),
                  static_cast<uint8_t>(row.categories[1]),
                  static_cast<uint8_t>(row.categories[2]),
                  row.labels};
  append(&head, sizeof head);
  append(row.numerics.data(), row.numerics.size_bytes());
  append(row.tokens.data(), row.tokens.size_bytes());
  const uint32_t padding = 0;
  if (row.tokens.size() % 2 != 0) append(&padding, sizeof padding);
  for (size_t t = 0; t < positives_.size(); ++t) positives_[t] += row.labels >> t & 1;
}

void RowCache::finish() {
  file_.map();
  if (starts_.empty()) XXH3_128bits_reset(&hash_state_);
  const XXH128_hash_t hash = XXH3_128bits_digest(&hash_state_);
  fingerprint_ = fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

CachedRow RowCache::row(size_t index) const noexcept {
  const std::byte* record = file_.data() + starts_[index];
  const auto& head = *reinterpret_cast<const Head*>(record);
  const auto numerics = static_cast<size_t>(__builtin_popcountll(head.numeric_mask[0]) +
                                            __builtin_popcountll(head.numeric_mask[1]));
  const auto* values = reinterpret_cast<const double*>(record + sizeof(Head));
  CachedRow row;
  row.categories = {head.language, head.hour, head.day};
  row.flags = head.flags;
  row.labels = static_cast<uint8_t>(head.labels);
  row.numeric_mask = head.numeric_mask;
  row.numerics = {values, numerics};
  row.tokens = {reinterpret_cast<const uint32_t*>(values + numerics), head.tokens};
  return row;
}

}  // namespace kinglet::train
