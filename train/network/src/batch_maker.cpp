#include "batch_maker.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "kinglet/feature_names.h"
#include "kinglet/features/fourier.h"
#include "kinglet/features/history_values.h"
#include "kinglet/request.h"

#include "parallel.h"

namespace kinglet::train {
namespace {

constexpr std::array<double, 8> kInverseScales{2, 1, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625};
static_assert(kEncoded == 2 * kInverseScales.size());

/// Numeric features behind the history's: hashtags and tokens are content, the other six are of accounts.
constexpr size_t kFirstAccountNumeric = features::kHistoryValues + 2;
/// Flags 0 to 2 are of accounts: engagee_follows_engager, author and reader verified.
constexpr size_t kAccountFlags = 3;

}  // namespace

bool plain_input_is_on(const FeatureGroups& groups, size_t plain_input) noexcept {
  const size_t numeric = plain_input / kEncoded;
  if (numeric < features::kHistoryValues) return groups.interactions;
  if (numeric < kFirstAccountNumeric) return groups.content;
  if (numeric < kRowNumerics) return groups.accounts;
  return plain_input - kRowNumerics * kEncoded < kAccountFlags ? groups.accounts : groups.content;
}

bool embedding_is_on(const FeatureGroups& groups) noexcept {
  return groups.content;
}

uint32_t BatchMaker::plain_inputs() noexcept {
  return kRowNumerics * kEncoded + kRowFlags;
}

BatchMaker::BatchMaker(const Codebook& codebook, const FeatureGroups& groups)
    : codebook_(codebook), groups_(groups), zeros_(plain_inputs()), numeric_on_(kRowNumerics) {
  for (size_t i = 0; i < kRowNumerics; ++i) {
    numeric_on_[i] = plain_input_is_on(groups, i * kEncoded) ? 1 : 0;
    if (numeric_on_[i] != 0) features::encode_fourier(0, kInverseScales, zeros_.data() + i * kEncoded);
  }
  for (size_t i = 0; i < kRowFlags; ++i) {
    flags_on_ |= static_cast<uint64_t>(plain_input_is_on(groups, kRowNumerics * kEncoded + i)) << i;
  }
}

void BatchMaker::sketch(std::span<const uint32_t> tokens, SketchRow& row) const {
  row.inputs.clear();
  row.values.clear();
  row.places.resize(codebook_.width());
  for (uint32_t d = 0; d < codebook_.depth(); ++d) {
    const uint32_t first_input = d * codebook_.width();
    const size_t first = row.inputs.size();
    for (const uint32_t token : tokens) {
      const uint32_t input = codebook_.codes(token)[d];
      uint32_t& place = row.places[input - first_input];
      if (place == 0) {
        row.inputs.push_back(input);
        row.values.push_back(0);
        place = static_cast<uint32_t>(row.inputs.size());
      }
      row.values[place - 1] += 1;
    }
    double squares = 0;
    for (size_t i = first; i < row.inputs.size(); ++i) {
      squares += static_cast<double>(row.values[i]) * static_cast<double>(row.values[i]);
      row.places[row.inputs[i] - first_input] = 0;
    }
    const auto scale = static_cast<float>(1 / std::sqrt(squares));
    for (size_t i = first; i < row.inputs.size(); ++i) row.values[i] *= scale;
  }
}

void BatchMaker::plain(const CachedRow& row, float* out) const {
  std::copy(zeros_.begin(), zeros_.end(), out);
  size_t next = 0;
  for (size_t word = 0; word < row.numeric_mask.size(); ++word) {
    for (uint64_t mask = row.numeric_mask[word]; mask != 0; mask &= mask - 1) {
      const size_t numeric = word * 64 + static_cast<size_t>(std::countr_zero(mask));
      const double value = row.numerics[next++];
      if (numeric_on_[numeric] != 0)
        features::encode_fourier(value, kInverseScales, out + numeric * kEncoded);
    }
  }
  float* flags = out + kRowNumerics * kEncoded;
  for (size_t i = 0; i < kRowFlags; ++i) flags[i] = (row.flags & flags_on_) >> i & 1 ? 1.0F : 0.0F;
}

void BatchMaker::fill(const RowCache& cache, std::span<const uint32_t> rows, Batch& batch) {
  batch.resize(rows.size());
  if (sketches_.size() < rows.size()) sketches_.resize(rows.size());
  parallel_for(rows.size(), [&](size_t b) {
    const CachedRow row = cache.row(rows[b]);
    plain(row, batch.plain(b));
    sketch(groups_.text ? row.tokens : std::span<const uint32_t>{}, sketches_[b]);
    batch.categories[b] = row.categories;
    for (size_t t = 0; t < kTargets; ++t) batch.labels[b][t] = row.labels >> t & 1 ? 1.0F : 0.0F;
  });
  for (size_t b = 0; b < rows.size(); ++b) {
    batch.sketch.inputs.insert(batch.sketch.inputs.end(), sketches_[b].inputs.begin(),
                               sketches_[b].inputs.end());
    batch.sketch.values.insert(batch.sketch.values.end(), sketches_[b].values.begin(),
                               sketches_[b].values.end());
    batch.sketch.end_row();
  }
}

}  // namespace kinglet::train
