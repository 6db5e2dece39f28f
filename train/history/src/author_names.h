#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <tsl/robin_map.h>

#include "kinglet/formats/history_keys.h"

namespace kinglet::history {

/// The ids of the authors with followers, because ties between similar authors are broken by id and not by
/// fingerprint. Authors are numbered in the order of their first add().
class AuthorNames {
 public:
  void add(formats::Fingerprint author, std::string_view id) {
    const auto [entry, added] = numbers_.try_emplace(author, static_cast<uint32_t>(fingerprints_.size()));
    if (!added) return;
    ends_.push_back(text_.size() + id.size());
    text_.insert(text_.end(), id.begin(), id.end());
    fingerprints_.push_back(author);
  }

  size_t size() const noexcept { return fingerprints_.size(); }
  uint32_t number(formats::Fingerprint author) const { return numbers_.at(author); }
  formats::Fingerprint fingerprint(uint32_t number) const { return fingerprints_[number]; }
  std::string_view id(uint32_t number) const {
    const size_t start = number == 0 ? 0 : ends_[number - 1];
    return {text_.data() + start, ends_[number] - start};
  }

  uint64_t memory_bytes() const noexcept {
    return text_.capacity() + (ends_.capacity() + fingerprints_.capacity()) * sizeof(uint64_t) +
           numbers_.bucket_count() * kBucketBytes;
  }

 private:
  static constexpr uint64_t kBucketBytes = 24;

  tsl::robin_map<formats::Fingerprint, uint32_t> numbers_;
  std::vector<formats::Fingerprint> fingerprints_;
  std::vector<char> text_;
  std::vector<size_t> ends_;
};

}  // namespace kinglet::history
