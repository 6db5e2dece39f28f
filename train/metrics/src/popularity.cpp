#include "kinglet/metrics/popularity.h"

#include <tsl/robin_map.h>

#include "kinglet/formats/error.h"

#include "src/id_hash.h"

namespace kinglet::metrics {
namespace {

struct Counts {
  uint64_t rows = 0;
  std::array<uint32_t, kReactions> positives{};

  void add(const Row& row) noexcept {
    ++rows;
    for (size_t r = 0; r < kReactions; ++r) positives[r] += row.reaction_timestamps[r] != 0 ? 1 : 0;
  }
};

}  // namespace

struct PopularityBaseline::State {
  tsl::robin_map<IdHash, Counts, IdHasher> authors;
  Counts all;
};

PopularityBaseline::PopularityBaseline() : state_(std::make_unique<State>()) {}
PopularityBaseline::PopularityBaseline(PopularityBaseline&&) noexcept = default;
PopularityBaseline& PopularityBaseline::operator=(PopularityBaseline&&) noexcept = default;
PopularityBaseline::~PopularityBaseline() = default;

void PopularityBaseline::add(const Row& row) {
  if (!row.has_labels) throw Error("expected rows with the four label fields");
  state_->authors[id_hash(row.author_id)].add(row);
  state_->all.add(row);
}

std::array<float, kReactions> PopularityBaseline::probabilities(const Row& row) const {
  const Counts& all = state_->all;
  if (all.rows == 0) throw Error("a popularity baseline needs at least one training row");
  const auto found = state_->authors.find(id_hash(row.author_id));
  const Counts author = found == state_->authors.end() ? Counts{} : found->second;
  std::array<float, kReactions> probabilities{};
  for (size_t r = 0; r < kReactions; ++r) {
    const double rate = static_cast<double>(all.positives[r]) / static_cast<double>(all.rows);
    probabilities[r] = static_cast<float>((author.positives[r] + kPriorRows * rate) /
                                          (static_cast<double>(author.rows) + kPriorRows));
  }
  return probabilities;
}

}  // namespace kinglet::metrics
