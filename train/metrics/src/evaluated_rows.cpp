#include "kinglet/metrics/evaluated_rows.h"

#include <string_view>

#include <fmt/format.h>
#include <tsl/robin_map.h>

#include "kinglet/formats/error.h"

#include "src/id_hash.h"

namespace kinglet::metrics {
namespace {

constexpr size_t kMaxRows = size_t{1} << 30;
constexpr size_t kMaxLanguages = size_t{1} << 16;

class Interner {
 public:
  /// The id's number, and whether it is new.
  std::pair<uint32_t, bool> number(std::string_view id) {
    const auto [found, fresh] = numbers_.try_emplace(id_hash(id), static_cast<uint32_t>(numbers_.size()));
    return {found->second, fresh};
  }

 private:
  tsl::robin_map<IdHash, uint32_t, IdHasher> numbers_;
};

}  // namespace

struct EvaluatedRows::Names {
  Interner tweets, authors, languages;
};

EvaluatedRows::EvaluatedRows() : names_(std::make_unique<Names>()) {}
EvaluatedRows::EvaluatedRows(EvaluatedRows&&) noexcept = default;
EvaluatedRows& EvaluatedRows::operator=(EvaluatedRows&&) noexcept = default;
EvaluatedRows::~EvaluatedRows() = default;

void EvaluatedRows::add(const Row& row) {
  if (!row.has_labels) throw Error("expected rows with the four label fields");
  if (rows() == kMaxRows) throw Error(fmt::format("expected at most {} rows to evaluate", kMaxRows));
  const auto [tweet, new_tweet] = names_->tweets.number(row.tweet_id);
  const auto [author, new_author] = names_->authors.number(row.author_id);
  const auto [language, new_language] = names_->languages.number(row.language);
  if (language == kMaxLanguages) throw Error(fmt::format("expected at most {} languages", kMaxLanguages));
  if (new_tweet) ++tweets_;
  if (new_author) followers_.push_back(0);
  if (new_language) languages_.emplace_back(row.language);

  unsigned labels = 0;
  for (size_t r = 0; r < kReactions; ++r) labels |= (row.reaction_timestamps[r] != 0 ? 1U : 0U) << r;
  labels_.push_back(static_cast<uint8_t>(labels));
  tweet_.push_back(tweet);
  author_.push_back(author);
  language_.push_back(static_cast<uint16_t>(language));
  followers_[author] = static_cast<uint32_t>(row.author_follower_count);
}

void Probabilities::add(const std::array<float, kReactions>& probabilities) {
  for (const float probability : probabilities) {
    if (!(probability >= 0 && probability <= 1)) {
      throw Error(fmt::format("row {}: expected a probability from 0 to 1, got {}", rows(), probability));
    }
  }
  for (size_t r = 0; r < kReactions; ++r) columns_[r].push_back(probabilities[r]);
}

}  // namespace kinglet::metrics
