#include "batch_maker.h"

#include <cmath>
#include <numeric>

#include "kinglet/features/token_mean.h"
#include "kinglet/request.h"

#include "parallel.h"
#include "random.h"

namespace kinglet::train {
namespace {

/// Four inputs a random number: a share is rounded to multiples of 2^-16.
void drop_out(const InputDropout& dropout, Random& random, std::span<float> values) {
  const auto limit = static_cast<uint64_t>(dropout.share * 65'536);
  const auto scale = static_cast<float>(65'536 / (65'536 - static_cast<double>(limit)));
  uint64_t bits = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    bits = i % 4 == 0 ? random.next() : bits >> 16;
    values[i] = (bits & 0xFFFF) < limit ? 0.0F : values[i] * scale;
  }
}

}  // namespace

BatchMaker::BatchMaker(const TokenTable& tokens, const FeatureSet& set, const FeatureGroups& groups)
    : tokens_(tokens), plain_(set, groups), norm_(set.sketch_norm), text_(groups.text) {}

void BatchMaker::normalise(SketchRow& row, size_t first, double squares) const {
  const auto scale = static_cast<float>(1 / std::sqrt(squares));
  for (size_t i = first; i < row.inputs.size(); ++i) row.values[i] *= scale;
}

void BatchMaker::sketch(std::span<const uint32_t> tokens, SketchRow& row) const {
  row.inputs.clear();
  row.values.clear();
  row.places.resize(tokens_.width());
  double all_squares = 0;
  for (uint32_t d = 0; d < tokens_.depth(); ++d) {
    const uint32_t first_input = d * tokens_.width();
    const size_t first = row.inputs.size();
    for (const uint32_t token : tokens) {
      const uint32_t input = tokens_.codes(token)[d];
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
    all_squares += squares;
    if (norm_ == fbs::SketchNorm::row) normalise(row, first, squares);
  }
  if (norm_ == fbs::SketchNorm::tweet) normalise(row, 0, all_squares / tokens_.depth());
}

void BatchMaker::token_mean(std::span<const uint32_t> tokens, SketchRow& row) const {
  const size_t dimensions = tokens_.inputs();
  row.inputs.resize(dimensions);
  std::iota(row.inputs.begin(), row.inputs.end(), 0U);
  row.values.resize(dimensions);
  row.sums.resize(dimensions);
  features::token_mean(tokens_.vector_table(), tokens, row.sums.data(), row.values.data());
}

void BatchMaker::text(std::span<const uint32_t> tokens, SketchRow& row) const {
  if (tokens_.kind() == TextInput::token_mean) {
    token_mean(tokens, row);
  } else {
    sketch(tokens, row);
  }
}

void BatchMaker::fill(const RowCache& cache, std::span<const uint32_t> rows, const InputDropout& dropout,
                      Batch& batch) {
  batch.resize(rows.size());
  if (sketches_.size() < rows.size()) sketches_.resize(rows.size());
  parallel_for(rows.size(), [&](size_t b) {
    const CachedRow row = cache.row(rows[b]);
    plain_.fill(row, batch.plain(b));
    text(text_ ? row.tokens : std::span<const uint32_t>{}, sketches_[b]);
    if (dropout.share > 0) {
      Random random(dropout.seed, (dropout.stream << 20) + b);
      drop_out(dropout, random, {batch.plain(b), plain_.size()});
      drop_out(dropout, random, sketches_[b].values);
    }
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
