#include "first_layer.h"

#include <algorithm>
#include <cmath>
#include <ranges>

#include "kinglet/features/encoding.h"

#include "add_terms.h"

namespace kinglet {
namespace {

/// Rows that numeric features, flags and embeddings can turn on at once.
size_t feature_terms(const Layout& layout) {
  size_t count = layout.flags.size() + layout.embeddings.size();
  for (const NumericFeature& numeric : layout.numerics) count += layout.encodings[numeric.encoding].values();
  return count;
}

}  // namespace

void FirstLayer::book(Arena& arena) {
  sketch_.book(layout_, arena);
  const RowTable& sketch = plan_.tables[layout_.sketch_rows.table];
  sign_sums_.book(sketch.has_signs() ? sketch.narrow : 0, arena);
  scaled_depths_offset_ = arena.book<ScaledDepth>(layout_.depth);
  sign_terms_offset_ =
      arena.book<kernels::CountTerm>(sketch.has_signs() ? size_t{layout_.depth} * layout_.width : 0);
  table_terms_ = feature_terms(layout_);
  token_terms_offset_ = arena.book<kernels::CountTerm>(layout_.token_rows != nullptr ? kTokenTerms : 0);
  text_terms_offset_ = arena.book<kernels::RowTerm>(
      std::max<size_t>({layout_.width, layout_.token_vectors.dimensions, kTokenTerms}));
  terms_offset_ = arena.book<kernels::RowTerm>(plan_.tables.size() * table_terms_);
  counts_offset_ = arena.book<size_t>(plan_.tables.size());
  counted_offset_ = arena.book<kernels::CountTerm>(table_terms_);
  bundles_offset_ = arena.book<uint32_t>(table_terms_);
  bundle_counts_offset_ = arena.book<int16_t>(table_terms_);
  reader_offset_ = arena.book<float>(plan_.stride);
  mean_sums_offset_ = arena.book<double>(layout_.token_vectors.dimensions);
  mean_offset_ = arena.book<float>(layout_.token_vectors.dimensions);
}

void FirstLayer::take(const Arena& arena) noexcept {
  sketch_.take(arena);
  sign_sums_.take(arena);
  scaled_depths_ = arena.part<ScaledDepth>(scaled_depths_offset_);
  sign_terms_ = arena.part<kernels::CountTerm>(sign_terms_offset_);
  token_terms_ = arena.part<kernels::CountTerm>(token_terms_offset_);
  text_terms_ = arena.part<kernels::RowTerm>(text_terms_offset_);
  terms_ = arena.part<kernels::RowTerm>(terms_offset_);
  counts_ = arena.part<size_t>(counts_offset_);
  counted_ = arena.part<kernels::CountTerm>(counted_offset_);
  bundles_ = arena.part<uint32_t>(bundles_offset_);
  bundle_counts_ = arena.part<int16_t>(bundle_counts_offset_);
  reader_ = arena.part<float>(reader_offset_);
  mean_sums_ = arena.part<double>(mean_sums_offset_);
  mean_ = arena.part<float>(mean_offset_);
}

void FirstLayer::tweet_part(const Request& request, float* sum) noexcept {
  std::copy_n(plan_.bias, plan_.stride, sum);
  if (request.tokens.size() > 2) {
    const std::span<const uint32_t> tokens = request.tokens.subspan(1, request.tokens.size() - 2);
    if (layout_.token_vectors.dimensions != 0) {
      add_token_mean(tokens, sum);
    } else {
      add_sketch(tokens, sum);
    }
  }
  add_features(request, fbs::Scope::tweet, sum);
}

void FirstLayer::reader_part(const Request& request, float* sum) noexcept {
  std::fill_n(sum, plan_.stride, 0.0F);
  add_features(request, fbs::Scope::reader, sum);
}

void FirstLayer::put_together(const float* tweet, const float* reader, const Request& pair,
                              float* sum) noexcept {
  const kernels::Addend addend{reader, nullptr, nullptr};
  kernels_.activate_f32(tweet, plan_.stride, {.addends = &addend, .addend_count = 1}, sum);
  add_features(pair, fbs::Scope::pair, sum);
}

void FirstLayer::run(const Request& request, float* sum) noexcept {
  tweet_part(request, sum);
  reader_part(request, reader_);
  put_together(sum, reader_, request, sum);
}

void FirstLayer::add_sketch(std::span<const uint32_t> tokens, float* sum) noexcept {
  const bool by_tweet = layout_.norm == fbs::SketchNorm::tweet;
  sketch_.count(layout_, tokens, Sketch::Tokens::all);
  const float tweet_scale = by_tweet ? sketch_.tweet_scale(layout_) : 0.0F;
  if (layout_.token_rows != nullptr) {
    add_token_rows(tokens, tweet_scale, sum);
    sketch_.count(layout_, tokens, Sketch::Tokens::without_rows);
  }
  const uint64_t others_read = rows_read_;
  if (plan_.tables[layout_.sketch_rows.table].has_signs()) {
    add_signs(tweet_scale, sum);
  } else {
    for (uint32_t d = 0; d < layout_.depth; ++d) {
      if (sketch_.terms(d).empty()) continue;
      add_counted_rows(layout_.sketch_rows.table, sketch_.terms(d), sketch_.following(layout_, d),
                       by_tweet ? tweet_scale : sketch_.row_scale(d), sum);
    }
  }
  sketch_read_ += rows_read_ - others_read;
  rows_read_ = others_read;
}

/// Rows that begin with signs: depths of the same norm in one go, the largest scale first. `tweet_scale` is 0
/// where each depth has a norm of its own.
void FirstLayer::add_signs(float tweet_scale, float* sum) noexcept {
  const RowTable& table = plan_.tables[layout_.sketch_rows.table];
  double scaled = 0;
  uint64_t counted = 0;
  size_t depths = 0;
  for (uint32_t d = 0; d < layout_.depth; ++d) {
    if (sketch_.terms(d).empty()) continue;
    const float scale = tweet_scale != 0 ? tweet_scale : sketch_.row_scale(d);
    scaled += double{scale} * static_cast<double>(sketch_.total(d));
    counted += sketch_.total(d);
    size_t at = depths++;
    for (; at > 0 && scaled_depths_[at - 1].scale < scale; --at) scaled_depths_[at] = scaled_depths_[at - 1];
    scaled_depths_[at] = {scale, d};
  }
  if (depths == 0) return;
  sign_sums_.begin(table, scaled, counted, scaled_depths_[depths - 1].scale, tweet_scale != 0);
  kernels::CountTerm* end = sign_terms_;
  for (size_t i = 0; i < depths; ++i)
    end = std::ranges::copy(sketch_.terms(scaled_depths_[i].depth), end).out;
  kernels::CountTerm* begin = sign_terms_;
  for (size_t i = 0; i < depths;) {
    const float scale = scaled_depths_[i].scale;
    size_t count = 0;
    uint64_t together = 0;
    for (; i < depths && scaled_depths_[i].scale == scale; ++i) {
      together += sketch_.total(scaled_depths_[i].depth);
      if (count != 0 && together > kernels::kMaximumCounts) break;
      count += sketch_.terms(scaled_depths_[i].depth).size();
    }
    const size_t ahead = static_cast<size_t>(end - begin) - count;
    sign_sums_.add(kernels_, table, {begin, count}, ahead, scale, sum);
    add_counts(layout_.sketch_rows.table, {begin, count}, ahead, scale, sum);
    begin += count;
  }
  sign_sums_.end(kernels_, table, sum);
}

void FirstLayer::add_token_mean(std::span<const uint32_t> tokens, float* sum) noexcept {
  const features::TokenVectorTable& vectors = layout_.token_vectors;
  const size_t known = features::token_mean(vectors, tokens, mean_sums_, mean_);
  vectors_read_ += known * vectors.dimensions * sizeof(float);
  size_t count = 0;
  for (uint32_t d = 0; d < vectors.dimensions; ++d) {
    if (mean_[d] != 0) text_terms_[count++] = {layout_.mean_rows.row + d, mean_[d]};
  }
  if (count != 0) add(layout_.mean_rows.table, {text_terms_, count}, 1.0F, sum);
}

void FirstLayer::add_token_rows(std::span<const uint32_t> tokens, float scale, float* sum) noexcept {
  size_t count = 0;
  const RowPlace place = layout_.token_row_place;
  for (const uint32_t token : tokens) {
    if (!layout_.has_row(token)) continue;
    token_terms_[count++] = {place.row + static_cast<uint32_t>(layout_.token_rows[token]), 1};
    if (count < kTokenTerms) continue;
    add_counted_rows(place.table, {token_terms_, count}, 0, scale, sum);
    count = 0;
  }
  if (count != 0) add_counted_rows(place.table, {token_terms_, count}, 0, scale, sum);
}

void FirstLayer::add_counted_rows(uint32_t table, std::span<const kernels::CountTerm> counts, size_t ahead,
                                  float scale, float* sum) noexcept {
  if (counts_whole(plan_.tables[table].type)) {
    add_counts(table, counts, ahead, scale, sum);
    return;
  }
  for (size_t t = 0; t < counts.size(); ++t) {
    text_terms_[t] = {counts[t].row, static_cast<float>(counts[t].count)};  // exact: at most 2^24
  }
  add(table, {text_terms_, counts.size()}, scale, sum);
}

void FirstLayer::add_counts(uint32_t table, std::span<const kernels::CountTerm> counts, size_t ahead,
                            float scale, float* sum) noexcept {
  rows_read_ += kinglet::add_counts(kernels_, plan_.tables[table], counts, ahead, scale, sum);
}

int32_t FirstLayer::units_of(float weight, float units) noexcept {
  constexpr float kRound = 0x1.8p23F;  // adding it leaves no bits below 1
  return static_cast<int32_t>((weight * units + kRound) - kRound);
}

void FirstLayer::add_bundles(uint32_t table, std::span<const kernels::RowTerm> terms, float* sum) noexcept {
  const RowTable& rows = plan_.tables[table];
  const size_t count = terms.size() / rows.bundle;
  for (size_t b = 0; b < count; ++b) bundles_[b] = terms[b * rows.bundle].row / rows.bundle;
  for (size_t t = 0; t < terms.size(); ++t)
    bundle_counts_[t] = static_cast<int16_t>(units_of(terms[t].weight, kEncodedUnits));
  const auto* bundles = static_cast<const uint8_t*>(rows.rows);
  const size_t stride = rows.bundle * rows.row_bytes();
  const uint32_t narrow = rows.narrow;
  if (narrow != 0)
    kernels_.add_bundles_s4(bundles, stride, rows.bundle, narrow, bundles_, bundle_counts_, count,
                            1 / kEncodedUnits, rows.scale, sum);
  kernels_.add_bundles_s8(reinterpret_cast<const int8_t*>(bundles + rows.bundle * rows.narrow_bytes()),
                          stride, rows.bundle, rows.columns - narrow, bundles_, bundle_counts_, count,
                          1 / kEncodedUnits, rows.scale + narrow, sum + narrow);
  rows_read_ += terms.size() * rows.row_bytes();
}

void FirstLayer::add_in_units(uint32_t table, std::span<const kernels::RowTerm> terms, float units,
                              float* sum) noexcept {
  for (size_t t = 0; t < terms.size(); ++t) counted_[t] = {terms[t].row, units_of(terms[t].weight, units)};
  add_counts(table, {counted_, terms.size()}, 0, 1 / units, sum);
}

void FirstLayer::add(uint32_t table, std::span<const kernels::RowTerm> terms, float scale,
                     float* sum) noexcept {
  rows_read_ += add_terms(kernels_, plan_.tables[table], terms, scale, sum);
}

void FirstLayer::add_features(const Request& request, fbs::Scope scope, float* sum) noexcept {
  collect(request, scope);
  for (uint32_t table = 0; table < plan_.tables.size(); ++table) {
    if (counts_[table] == 0) continue;
    const std::span<const kernels::RowTerm> terms(terms_ + table * table_terms_, counts_[table]);
    if (plan_.tables[table].bundle != 0) {
      add_bundles(table, terms, sum);
    } else if (plan_.tables[table].type == fbs::ElementType::s8) {
      add_in_units(table, terms, layout_.in_units[table] ? kEncodedUnits : 1.0F, sum);
    } else {
      add(table, terms, 1.0F, sum);
    }
  }
}

void FirstLayer::push(RowPlace place, uint32_t offset, float weight) noexcept {
  terms_[place.table * table_terms_ + counts_[place.table]++] = {place.row + offset, weight};
}

void FirstLayer::collect(const Request& request, fbs::Scope scope) noexcept {
  std::fill_n(counts_, plan_.tables.size(), size_t{0});
  for (size_t i = 0; i < layout_.numerics.size(); ++i) {
    if (layout_.numerics[i].scope == scope) collect_numeric(layout_.numerics[i], request.numerics[i]);
  }
  for (size_t i = 0; i < layout_.flags.size(); ++i) {
    const FlagFeature& flag = layout_.flags[i];
    if (flag.scope == scope && (request.flags >> i & 1) != 0) push(flag.rows, 0, 1.0F);
  }
  for (size_t i = 0; i < layout_.embeddings.size(); ++i) {
    const EmbeddingFeature& embedding = layout_.embeddings[i];
    if (embedding.scope == scope) push(embedding.rows, request.categories[i], 1.0F);
  }
}

void FirstLayer::collect_numeric(const NumericFeature& numeric, double value) noexcept {
  if (layout_.zero_in_bias && value == 0) return;
  const auto& values = numeric.table_values;
  const auto found = std::lower_bound(values.begin(), values.end(), value);
  if (found != values.end() && *found == value) {
    push(numeric.table_rows, static_cast<uint32_t>(found - values.begin()), 1.0F);
    return;
  }
  const features::Encoding& encoding = layout_.encodings[numeric.encoding];
  const std::vector<float>& at_zero = layout_.at_zero[numeric.encoding];
  const bool bundled = plan_.tables[numeric.rows.table].bundle != 0;  // rows that all are added
  float encoded[features::kMaximumEncoded];
  encoding.encode(value, encoded);
  for (uint32_t k = 0; k < encoding.values(); ++k) {
    const float weight = layout_.zero_in_bias ? encoded[k] - at_zero[k] : encoded[k];
    if (bundled || std::fabs(weight) >= kernels::kSmallestActivation) push(numeric.rows, k, weight);
  }
}

}  // namespace kinglet
