#pragma once

#include <cstdint>
#include <span>

#include "kinglet/kernels/kernels.h"
#include "kinglet/request.h"

#include "arena.h"
#include "layout.h"
#include "plan.h"
#include "sign_sums.h"
#include "sketch.h"

namespace kinglet {

/// The first layer's sum of one request, as active rows of the plan's tables, in three parts: the tweet's,
/// the reader's, the pair's (docs/numerics.md). Scratch for one session.
class FirstLayer {
 public:
  FirstLayer(const Layout& layout, const Plan& plan, const kernels::KernelTable& kernels)
      : layout_(layout), plan_(plan), kernels_(kernels) {}
  void book(Arena& arena);
  void take(const Arena& arena) noexcept;

  /// sum[stride] = bias + text + the tweet's features.
  void tweet_part(const Request& request, float* sum) noexcept;
  /// sum[stride] = the reader's features.
  void reader_part(const Request& request, float* sum) noexcept;
  /// sum = tweet + reader + the pair's features, in this order. `tweet` and `sum` may be the same.
  void put_together(const float* tweet, const float* reader, const Request& pair, float* sum) noexcept;
  /// The same of one request.
  void run(const Request& request, float* sum) noexcept;

  /// Bytes of the model's tables read since the last reset.
  uint64_t vectors_read() const noexcept { return vectors_read_; }  // in bytes
  uint64_t rows_read() const noexcept { return rows_read_; }
  uint64_t sketch_read() const noexcept { return sketch_read_; }
  void reset_bytes() noexcept { vectors_read_ = sketch_read_ = rows_read_ = 0; }

 private:
  /// Tokens whose own rows are added in one call.
  static constexpr size_t kTokenTerms = 256;

  struct ScaledDepth {
    float scale;  // 1 / the norm
    uint32_t depth;
  };

  void add_sketch(std::span<const uint32_t> tokens, float* sum) noexcept;
  void add_signs(float tweet_scale, float* sum) noexcept;
  void add_token_mean(std::span<const uint32_t> tokens, float* sum) noexcept;
  void add_token_rows(std::span<const uint32_t> tokens, float scale, float* sum) noexcept;
  /// Rows that count whole times, of any type.
  void add_counted_rows(uint32_t table, std::span<const kernels::CountTerm> counts, size_t ahead, float scale,
                        float* sum) noexcept;
  static int32_t units_of(float weight, float units) noexcept;
  /// Rows of 8 bits; `units` make a weight of 1.
  void add_in_units(uint32_t table, std::span<const kernels::RowTerm> terms, float units,
                    float* sum) noexcept;
  /// A weight for each row of some bundles.
  void add_bundles(uint32_t table, std::span<const kernels::RowTerm> terms, float* sum) noexcept;
  void add_counts(uint32_t table, std::span<const kernels::CountTerm> counts, size_t ahead, float scale,
                  float* sum) noexcept;
  void add(uint32_t table, std::span<const kernels::RowTerm> terms, float scale, float* sum) noexcept;
  void add_features(const Request& request, fbs::Scope scope, float* sum) noexcept;
  void collect(const Request& request, fbs::Scope scope) noexcept;
  void collect_numeric(const NumericFeature& numeric, double value) noexcept;
  void push(RowPlace place, uint32_t offset, float weight) noexcept;

  const Layout& layout_;
  const Plan& plan_;
  const kernels::KernelTable& kernels_;
  Sketch sketch_;
  SignSums sign_sums_;
  uint64_t vectors_read_ = 0;
  uint64_t rows_read_ = 0;
  uint64_t sketch_read_ = 0;  // of the sketch's rows alone; rows_read_ has all others
  size_t table_terms_ = 0;    // capacity of each table's terms
  size_t scaled_depths_offset_ = 0;
  size_t sign_terms_offset_ = 0;
  size_t token_terms_offset_ = 0;
  size_t text_terms_offset_ = 0;
  size_t terms_offset_ = 0;
  size_t counts_offset_ = 0;
  size_t counted_offset_ = 0;
  size_t bundles_offset_ = 0;
  size_t bundle_counts_offset_ = 0;
  size_t reader_offset_ = 0;
  size_t mean_sums_offset_ = 0;
  size_t mean_offset_ = 0;
  ScaledDepth* scaled_depths_ = nullptr;      // [depth]: the longest scale first
  kernels::CountTerm* sign_terms_ = nullptr;  // [depth x width], or none: the same depths' terms
  kernels::RowTerm* text_terms_ = nullptr;    // a depth's, tokens', or a mean's
  kernels::CountTerm* token_terms_ = nullptr;
  kernels::RowTerm* terms_ = nullptr;      // [tables][table_terms_]
  size_t* counts_ = nullptr;               // [tables]: terms in use
  kernels::CountTerm* counted_ = nullptr;  // [table_terms_]: terms of 8-bit rows
  uint32_t* bundles_ = nullptr;            // [table_terms_]
  int16_t* bundle_counts_ = nullptr;       // [table_terms_]
  float* reader_ = nullptr;                // [stride]
  double* mean_sums_ = nullptr;            // [dimensions of the tokens' vectors]
  float* mean_ = nullptr;                  // [the same]
};

}  // namespace kinglet
