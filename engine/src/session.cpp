#include "kinglet/session.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <new>

#include "kinglet/features/encoding.h"
#include "kinglet/features/row_features.h"

#include "arena.h"
#include "first_layer.h"
#include "layers.h"
#include "model_impl.h"
#include "read_scores.h"
#include "row_request.h"

namespace kinglet {
namespace {

constexpr size_t kMaximumTokens = size_t{1} << 24;

}  // namespace

struct Session::State {
  State(Model given, size_t batch)
      : model(std::move(given)),
        impl(*model.impl_),
        lanes(useful_lanes(impl.plan, std::max<size_t>(batch, 1))),
        first_layer(impl.layout, impl.plan, *impl.kernels),
        layers(impl.plan, *impl.kernels, lanes) {
    first_layer.book(arena);
    layers.book(arena);
    row_request.book(impl.layout, arena);
    arena.allocate();
    first_layer.take(arena);
    layers.take(arena);
    row_request.take(arena);
  }

  Status check(const Request& request) const noexcept;
  Status check(const Candidate& candidate) const noexcept;
  bool is_ours(const PreparedPart& part) const noexcept { return part.model_.impl_.get() == &impl; }
  bool is_ready(const PreparedPart& part) const noexcept { return is_ours(part) && part.filled_; }
  void reset_bytes() noexcept {
    first_layer.reset_bytes();
    layers.reset_bytes();
  }
  void read_scores(size_t lane, Scores& scores) const noexcept;
  Status fill_from_row(const Row& row, const formats::HistoryFile& history, const Communities* communities,
                       Request& request) noexcept;

  Model model;
  const ModelImpl& impl;
  size_t lanes;
  Arena arena;
  FirstLayer first_layer;
  Layers layers;
  RowRequest row_request;
};

Status Session::State::check(const Request& request) const noexcept {
  const Layout& layout = impl.layout;
  if (request.tokens.size() > kMaximumTokens) return Status::too_many_tokens;
  if (request.numerics.size() != layout.numerics.size()) return Status::wrong_numeric_count;
  bool in_range = true;  // all are looked at, so that the compiler makes vectors of them
  for (const double value : request.numerics) in_range &= std::fabs(value) <= kNumericLimit;
  if (!in_range) return Status::numeric_out_of_range;
  if (layout.flags.size() < 64 && request.flags >> layout.flags.size() != 0) return Status::unknown_flag;
  if (request.categories.size() != layout.embeddings.size()) return Status::wrong_category_count;
  for (size_t i = 0; i < layout.embeddings.size(); ++i) {
    if (request.categories[i] >= layout.embeddings[i].categories) return Status::category_out_of_range;
  }
  return Status::ok;
}

Status Session::State::check(const Candidate& candidate) const noexcept {
  if (candidate.tweet == nullptr || candidate.reader == nullptr) return Status::not_prepared;
  if (!is_ready(*candidate.tweet) || !is_ready(*candidate.reader)) return Status::not_prepared;
  return check(candidate.pair);
}

void Session::State::read_scores(size_t lane, Scores& scores) const noexcept {
  kinglet::read_scores(layers.logits(lane), scores);
}

Status Session::State::fill_from_row(const Row& row, const formats::HistoryFile& history,
                                     const Communities* communities, Request& request) noexcept {
  const Layout& layout = impl.layout;
  if (!layout.from_rows) return Status::layout_needs_request;
  if (layout.needs_communities && communities == nullptr) return Status::layout_needs_communities;
  const features::RowFeatures features =
      features::row_features(row, history, communities, layout.needs_shown);
  request = row_request.fill(model, layout, row, features);
  return Status::ok;
}

Session::Session(Model model, size_t batch) : state_(std::make_unique<State>(std::move(model), batch)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

const Model& Session::model() const noexcept {
  return state_->model;
}

Status Session::score(const Request& request, Scores& scores) noexcept {
  State& state = *state_;
  if (const Status status = state.check(request); status != Status::ok) return status;
  state.reset_bytes();
  state.first_layer.run(request, state.layers.values(0));
  state.layers.run(1);
  state.read_scores(0, scores);
  return Status::ok;
}

Status Session::prepare(const Request& request, PreparedTweet& tweet) noexcept {
  State& state = *state_;
  if (!state.is_ours(tweet)) return Status::not_prepared;
  if (const Status status = state.check(request); status != Status::ok) return status;
  state.reset_bytes();
  state.first_layer.tweet_part(request, tweet.sum_.get());
  tweet.filled_ = true;
  return Status::ok;
}

Status Session::prepare(const Request& request, PreparedReader& reader) noexcept {
  State& state = *state_;
  if (!state.is_ours(reader)) return Status::not_prepared;
  if (const Status status = state.check(request); status != Status::ok) return status;
  state.reset_bytes();
  state.first_layer.reader_part(request, reader.sum_.get());
  reader.filled_ = true;
  return Status::ok;
}

Status Session::score(std::span<const Candidate> candidates, std::span<Scores> scores) noexcept {
  State& state = *state_;
  if (scores.size() < candidates.size()) return Status::too_few_scores;
  for (const Candidate& candidate : candidates) {
    if (const Status status = state.check(candidate); status != Status::ok) return status;
  }
  state.reset_bytes();
  for (size_t begin = 0; begin < candidates.size(); begin += state.lanes) {
    const std::span<const Candidate> group =
        candidates.subspan(begin, std::min(state.lanes, candidates.size() - begin));
    for (size_t lane = 0; lane < group.size(); ++lane) {
      const Candidate& candidate = group[lane];
      state.first_layer.put_together(candidate.tweet->sum_.get(), candidate.reader->sum_.get(),
                                     candidate.pair, state.layers.values(lane));
    }
    state.layers.run(group.size());
    for (size_t lane = 0; lane < group.size(); ++lane) state.read_scores(lane, scores[begin + lane]);
  }
  return Status::ok;
}

PreparedPart::PreparedPart(const Model& model)
    : model_(model),
      sum_(static_cast<float*>(
          std::aligned_alloc(kernels::kAlignment, model.impl_->plan.stride * sizeof(float)))) {
  if (sum_ == nullptr) throw std::bad_alloc();
}

void PreparedPart::Free::operator()(float* block) const noexcept {
  std::free(block);
}

Status Session::score(const Row& row, const formats::HistoryFile& history, Scores& scores,
                      const Communities* communities) noexcept {
  Request request;
  const Status status = state_->fill_from_row(row, history, communities, request);
  return status == Status::ok ? score(request, scores) : status;
}

Status Session::request(const Row& row, const formats::HistoryFile& history, Request& request,
                        const Communities* communities) noexcept {
  request = {};
  return state_->fill_from_row(row, history, communities, request);
}

BytesRead Session::bytes_read() const noexcept {
  const FirstLayer& first = state_->first_layer;
  const Layers& layers = state_->layers;
  return {first.vectors_read(), first.sketch_read(), first.rows_read(), layers.columns_read(),
          layers.dense_read()};
}

std::span<const float> Session::value(std::string_view name) const noexcept {
  for (const Value& value : state_->impl.plan.values) {
    if (value.name == name) return {state_->layers.values(0) + value.offset, value.width};
  }
  return {};
}

std::string_view status_text(Status status) noexcept {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::too_many_tokens:
      return "more than 2^24 tokens";
    case Status::wrong_numeric_count:
      return "the number of numeric values is not the layout's";
    case Status::numeric_out_of_range:
      return "a numeric value is not finite or beyond 2^36";
    case Status::unknown_flag:
      return "a flag beyond the layout's is set";
    case Status::wrong_category_count:
      return "the number of categories is not the layout's";
    case Status::category_out_of_range:
      return "a category is beyond its embedding's";
    case Status::not_prepared:
      return "a candidate's tweet or reader is missing, empty, or of another model";
    case Status::too_few_scores:
      return "fewer scores than candidates";
    case Status::layout_needs_request:
      return "the layout has features that rows and history do not give";
    case Status::layout_needs_communities:
      return "the layout has community features, but no communities were given";
  }
  return "unknown status";
}

}  // namespace kinglet
