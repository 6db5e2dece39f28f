#include "layout.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "kinglet/feature_names.h"
#include "kinglet/features/row_features.h"
#include "kinglet/formats/error.h"
#include "kinglet/request.h"

namespace kinglet {
namespace {

using formats::ModelFile;

template <typename Names>
int32_t index_of(const Names& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? -1 : static_cast<int32_t>(found - names.begin());
}

class Resolver {
 public:
  Resolver(const ModelFile& file, const std::vector<RowTable>& tables)
      : file_(file), source_(*file.header().layout()), tables_(tables) {}

  Layout run() {
    layout_.in_units.resize(tables_.size());
    resolve_text();
    resolve_encodings();
    resolve_numerics();
    resolve_flags();
    resolve_embeddings();
    check_units();
    find_sources();
    return std::move(layout_);
  }

 private:
  [[noreturn]] void fail(const std::string& place, const std::string& message) const {
    throw Error(file_.path(), "layout " + source_.name()->str() + ", " + place, message);
  }

  RowPlace any_rows(uint64_t first, uint64_t count, const std::string& place) const {
    for (size_t t = 0; t < tables_.size(); ++t) {
      const RowTable& table = tables_[t];
      if (first < table.first_row || first - table.first_row > table.count) continue;
      const uint64_t row = first - table.first_row;
      if (count <= table.count - row) return {static_cast<uint32_t>(t), static_cast<uint32_t>(row)};
    }
    fail(place, "its rows lie outside the tables");
  }

  /// Rows that may be added one by one.
  RowPlace rows_from(uint64_t first, uint64_t count, const std::string& place) const {
    const RowPlace rows = any_rows(first, count, place);
    if (tables_[rows.table].bundle != 0) fail(place, "rows in bundles are for encoded values alone");
    return rows;
  }

  /// Rows of one number: a bundle where they lie in such.
  RowPlace encoded_rows(uint64_t first, uint64_t count, const std::string& place) const {
    const RowPlace rows = any_rows(first, count, place);
    const uint32_t bundle = tables_[rows.table].bundle;
    if (bundle != 0 && (count != bundle || rows.row % bundle != 0))
      fail(place, "expected a bundle of " + std::to_string(bundle) + " rows");
    return rows;
  }

  /// Rows that count once, if at all.
  RowPlace once_rows(uint64_t first, uint64_t count, const std::string& place) {
    const RowPlace rows = rows_from(first, count, place);
    check_no_text(tables_[rows.table], place);
    if (count != 0) once_.insert(rows.table);
    return rows;
  }

  /// For rows of whatever is not the sketch.
  void check_no_text(const RowTable& table, const std::string& place) const {
    if (table.type == fbs::ElementType::s4 || table.has_signs())
      fail(place, "rows of 4 bits alone and of signs are for the sketch");
  }

  /// Rows of floats or of 16 bits.
  RowPlace wide_rows(uint64_t first, uint64_t count, const std::string& place) const {
    const RowPlace rows = rows_from(first, count, place);
    if (counts_whole(tables_[rows.table].type)) fail(place, "expected rows of floats or of 16 bits");
    return rows;
  }

  fbs::Scope scope_of(fbs::Scope scope, const std::string& place) const {
    if (scope > fbs::Scope::MAX) fail(place, "unknown scope");
    return scope;
  }

  void name_once(const flatbuffers::String& name, const std::string& place) {
    if (!names_.insert(name.string_view()).second) fail(place, "the name stands twice");
  }

  void resolve_text() {
    const formats::TensorView& tokens = file_.tensor(file_.header().codebook()->string_view(), "codebook");
    if (source_.token_mean() != nullptr) {
      resolve_token_mean(*source_.token_mean(), tokens);
    } else {
      resolve_sketch(tokens);
    }
  }

  void resolve_token_mean(const fbs::TokenMean& mean, const formats::TensorView& vectors) {
    const fbs::Sketch& sketch = *source_.sketch();
    if (sketch.depth() != 0 || sketch.width() != 0 || sketch.token_rows() != nullptr)
      fail("token mean", "expected no sketch beside it");
    if (mean.dimensions() == 0 || mean.dimensions() > kMaximumDimensions)
      fail("token mean", "expected 1 to " + std::to_string(kMaximumDimensions) + " dimensions");
    if (vectors.info->type() != fbs::ElementType::f32 || vectors.info->packing() != fbs::Packing::rows ||
        vectors.rank() != 2 || vectors.dimension(1) != mean.dimensions() ||
        vectors.info->padded_columns() != mean.dimensions()) {
      fail("codebook",
           "expected an f32 vector of " + std::to_string(mean.dimensions()) + " dimensions a token");
    }
    layout_.token_vectors = {vectors.f32(), vectors.dimension(0), mean.dimensions()};
    layout_.mean_rows = wide_rows(mean.first_row(), mean.dimensions(), "token mean");
  }

  void resolve_sketch(const formats::TensorView& codes) {
    const fbs::Sketch& sketch = *source_.sketch();
    if (sketch.norm() > fbs::SketchNorm::MAX) fail("sketch", "unknown norm");
    layout_.norm = sketch.norm();
    if (sketch.width() > formats::kNoCode || sketch.depth() > 65'536)
      fail("sketch", "implausible depth or width");
    layout_.depth = sketch.depth();
    layout_.width = sketch.width();
    layout_.sketch_rows = rows_from(sketch.first_row(), uint64_t{sketch.depth()} * sketch.width(), "sketch");
    if (tables_[layout_.sketch_rows.table].type == fbs::ElementType::s16)
      fail("sketch", "expected rows of floats, of 8-bit or of 4-bit integers");
    if (codes.info->type() != fbs::ElementType::u16 || codes.info->packing() != fbs::Packing::rows ||
        codes.rank() != 2 || codes.dimension(1) != sketch.depth() ||
        codes.info->padded_columns() != sketch.depth()) {
      fail("codebook", "expected one u16 code a token and depth");
    }
    layout_.codes = codes.u16();
    layout_.tokens = codes.dimension(0);
    if (sketch.token_rows() != nullptr) resolve_token_rows(sketch);
  }

  void resolve_token_rows(const fbs::Sketch& sketch) {
    const formats::TensorView& rows = file_.tensor(sketch.token_rows()->string_view(), "token rows");
    if (layout_.norm != fbs::SketchNorm::tweet) fail("token rows", "expected one norm a tweet");
    if (rows.info->type() != fbs::ElementType::s32 || rows.info->packing() != fbs::Packing::rows ||
        rows.rank() != 1 || rows.dimension(0) != layout_.tokens) {
      fail("token rows", "expected one 32-bit row number a token");
    }
    layout_.token_rows = rows.s32();
    layout_.token_row_place = rows_from(sketch.token_first_row(), 1, "token rows");
    const RowTable& table = tables_[layout_.token_row_place.table];
    check_no_text(table, "token rows");
    layout_.token_row_count = static_cast<uint32_t>(table.count - layout_.token_row_place.row);
  }

  void resolve_encodings() {
    layout_.zero_in_bias = source_.zero_in_bias();
    for (const fbs::Encoding* encoding : *source_.encodings()) {
      const std::string place = "encoding " + encoding->name()->str();
      if (encoding->scales()->size() > features::kMaximumScales) fail(place, "too many scales");
      switch (encoding->kind()) {
        case fbs::EncodingKind::fourier:
          layout_.encodings.push_back(resolve_fourier(*encoding, place));
          break;
        case fbs::EncodingKind::log_steps:
          layout_.encodings.push_back(resolve_log_steps(*encoding, place));
          break;
        default:
          fail(place, "unknown kind");
      }
      layout_.at_zero.emplace_back(layout_.encodings.back().values());
      layout_.encodings.back().encode(0, layout_.at_zero.back().data());
    }
  }

  features::Encoding resolve_fourier(const fbs::Encoding& encoding, const std::string& place) const {
    features::Encoding result{features::EncodingKind::fourier, {}};
    for (const double scale : *encoding.scales()) {
      int exponent = 0;
      // Powers of two keep the products exact, whatever the value; below 1/2 the argument would leave its
      // range.
      if (!(scale >= 0.5 && scale <= 0x1p60) || std::frexp(scale, &exponent) != 0.5) {
        fail(place, "expected scales that are powers of two from 0.5 to 2^60");
      }
      result.parameters.push_back(1.0 / scale);
    }
    return result;
  }

  features::Encoding resolve_log_steps(const fbs::Encoding& encoding, const std::string& place) const {
    features::Encoding result{features::EncodingKind::log_steps, {}};
    for (const double step : *encoding.scales()) {
      if (!(step >= 0 && step <= 64)) fail(place, "expected steps from 0 to 64");
      result.parameters.push_back(step);
    }
    return result;
  }

  void resolve_numerics() {
    for (const fbs::Numeric* numeric : *source_.numerics()) {
      const std::string place = "numeric " + numeric->name()->str();
      name_once(*numeric->name(), place);
      if (numeric->encoding() >= layout_.encodings.size()) fail(place, "names no encoding");
      NumericFeature feature;
      feature.encoding = numeric->encoding();
      feature.rows = encoded_rows(numeric->first_row(), layout_.encodings[feature.encoding].values(), place);
      const RowTable& rows = tables_[feature.rows.table];
      check_no_text(rows, place);
      if (rows.narrow != 0 && rows.bundle == 0) fail(place, "encoded values have no split rows");
      count_units(feature, place);
      feature.source = index_of(numeric_names(), numeric->name()->string_view());
      feature.scope = scope_of(numeric->scope(), place);
      if (numeric->table_values() != nullptr) resolve_table(*numeric, place, feature);
      layout_.numerics.push_back(std::move(feature));
    }
  }

  /// 8-bit rows are added in whole units; together they must not leave the kernel's 32 bits.
  void count_units(const NumericFeature& feature, const std::string& place) {
    if (tables_[feature.rows.table].type != fbs::ElementType::s8) return;
    const features::Encoding& encoding = layout_.encodings[feature.encoding];
    // The largest weights: cos(x) - 1 goes down to -2; of log_steps all but the last are at most 1.
    const bool fourier = encoding.kind == features::EncodingKind::fourier;
    layout_.in_units[feature.rows.table] = true;
    largest_weights_ += fourier ? 2 * encoding.values() : encoding.values() + 4;
    if (largest_weights_ * static_cast<size_t>(kEncodedUnits) > kernels::kMaximumCounts)
      fail(place, "too many encoded values for 8-bit rows");
  }

  /// What counts in units and what counts once are added by different calls.
  void check_units() const {
    for (const uint32_t table : once_) {
      if (layout_.in_units[table])
        fail("numerics", "expected a table of their own for encoded values in 8 bits");
    }
  }

  void resolve_table(const fbs::Numeric& numeric, const std::string& place, NumericFeature& feature) {
    for (const double value : *numeric.table_values()) {
      const bool ascends = feature.table_values.empty() || value > feature.table_values.back();
      if (!ascends || !(std::fabs(value) <= kNumericLimit))
        fail(place, "expected the table's values in ascending order");
      feature.table_values.push_back(value);
    }
    feature.table_rows = once_rows(numeric.table_first_row(), feature.table_values.size(), place);
  }

  void resolve_flags() {
    if (source_.flags()->size() > 64) fail("flags", "more than 64");
    for (const fbs::Flag* flag : *source_.flags()) {
      const std::string place = "flag " + flag->name()->str();
      name_once(*flag->name(), place);
      layout_.flags.push_back({once_rows(flag->first_row(), 1, place),
                               index_of(flag_names(), flag->name()->string_view()),
                               scope_of(flag->scope(), place)});
    }
  }

  void resolve_embeddings() {
    for (const fbs::Embedding* embedding : *source_.embeddings()) {
      const std::string place = "embedding " + embedding->name()->str();
      name_once(*embedding->name(), place);
      if (embedding->categories() == 0) fail(place, "no categories");
      const RowPlace rows = once_rows(embedding->first_row(), embedding->categories(), place);
      const int32_t source = index_of(kEmbeddingNames, embedding->name()->string_view());
      check_categories(source, embedding->categories(), place);
      layout_.embeddings.push_back(
          {rows, embedding->categories(), source, scope_of(embedding->scope(), place)});
    }
  }

  /// Hours and days come from a clock, languages from the file's own list: each must have a row.
  void check_categories(int32_t source, uint32_t categories, const std::string& place) const {
    uint64_t needed = 0;
    if (source == 0) {
      needed = uint64_t{file_.header().unknown_language()} + 1;
      for (const fbs::Language* language : *file_.header().languages()) {
        needed = std::max(needed, uint64_t{language->category()} + 1);
      }
    }
    if (source == 1) needed = 24;
    if (source == 2) needed = 31;
    if (categories < needed) fail(place, "expected at least " + std::to_string(needed) + " categories");
  }

  void find_sources() {
    layout_.from_rows = true;
    for (const NumericFeature& numeric : layout_.numerics) {
      note_source(numeric.source, kRowNumerics, kRowNumerics + kCommunityNumerics);
      layout_.needs_shown |= is_within(numeric.source, features::kFirstShownNumeric, features::kFirstFineAge);
    }
    for (const FlagFeature& flag : layout_.flags) {
      note_source(flag.source, kRowFlags, kRowFlags + kCommunityFlags);
    }
    for (const EmbeddingFeature& embedding : layout_.embeddings) note_source(embedding.source, 0, 0);
  }

  /// Sources from `first` to before `last` are of communities.
  void note_source(int32_t source, size_t first, size_t last) {
    layout_.from_rows &= source >= 0;
    layout_.needs_communities |= is_within(source, first, last);
  }

  static bool is_within(int32_t source, size_t first, size_t last) noexcept {
    return source >= static_cast<int32_t>(first) && source < static_cast<int32_t>(last);
  }

  static constexpr uint32_t kMaximumDimensions = 16'384;  // of a token's vector

  const ModelFile& file_;
  const fbs::FeatureLayout& source_;
  const std::vector<RowTable>& tables_;
  Layout layout_;
  std::set<std::string_view> names_;
  std::set<uint32_t> once_;  // tables with rows that count once
  size_t largest_weights_ = 0;
};

}  // namespace

Layout resolve_layout(const ModelFile& file, const std::vector<RowTable>& tables) {
  return Resolver(file, tables).run();
}

}  // namespace kinglet
