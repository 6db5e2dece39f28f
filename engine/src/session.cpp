#include "kinglet/session.h"

#include <cmath>
#include <vector>

#include "kinglet/features/elementary.h"
#include "kinglet/features/encoding.h"
#include "kinglet/features/row_features.h"

#include "arena.h"
#include "model_impl.h"
#include "sketch.h"

namespace kinglet {
namespace {

constexpr size_t kMaximumTokens = size_t{1} << 24;

/// A plan step with its vectors' addresses: what a kernel call takes.
struct BoundStep {
  const PlanStep* step;
  const float* input;
  float* output;
  size_t inputs;
  size_t outputs;
  kernels::Epilogue epilogue;
};

size_t addend_count(const Plan& plan) {
  size_t count = 0;
  for (const PlanStep& step : plan.steps) count += step.addends.size();
  return count;
}

/// Rows that numeric features, flags and embeddings can turn on at once.
size_t dense_terms(const Layout& layout) {
  size_t count = layout.flags.size() + layout.embeddings.size();
  for (const NumericFeature& numeric : layout.numerics) count += layout.encodings[numeric.encoding].values();
  return count;
}

}  // namespace

struct Session::State {
  explicit State(Model given) : model(std::move(given)), impl(*model.impl_) {
    sketch.book(impl.layout, arena);
    const size_t terms_offset = arena.book<kernels::RowTerm>(dense_terms(impl.layout));
    const size_t values_offset = arena.book<float>(impl.plan.value_floats);
    const size_t numerics_offset = arena.book<double>(impl.layout.numerics.size());
    const size_t categories_offset = arena.book<uint32_t>(impl.layout.embeddings.size());
    const size_t addends_offset = arena.book<kernels::Addend>(addend_count(impl.plan));
    arena.allocate();
    sketch.take(arena);
    terms = arena.part<kernels::RowTerm>(terms_offset);
    values = arena.part<float>(values_offset);
    numerics = arena.part<double>(numerics_offset);
    categories = arena.part<uint32_t>(categories_offset);
    bind_steps(arena.part<kernels::Addend>(addends_offset));
  }

  void bind_steps(kernels::Addend* addends);
  Status check(const Request& request) const noexcept;
  size_t collect_terms(const Request& request) noexcept;
  void run_first_layer(const Request& request) noexcept;
  Status fill_from_row(const Row& row, const formats::HistoryFile& history, const Communities* communities,
                       Request& request) noexcept;

  Model model;
  const ModelImpl& impl;
  Arena arena;
  Sketch sketch;
  kernels::RowTerm* terms = nullptr;
  float* values = nullptr;
  double* numerics = nullptr;
  uint32_t* categories = nullptr;
  std::vector<BoundStep> steps;
};

void Session::State::bind_steps(kernels::Addend* addends) {
  const Plan& plan = impl.plan;
  for (const PlanStep& step : plan.steps) {
    const Value& output = plan.values[step.output];
    kernels::Epilogue epilogue{addends, step.addends.size(), step.leaky, step.slope, step.scale, step.shift};
    for (const PlanAddend& addend : step.addends) {
      *addends++ = {values + plan.values[addend.value].offset, addend.scale, addend.shift};
    }
    steps.push_back({&step, values + plan.values[step.input].offset, values + output.offset,
                     plan.values[step.input].width, output.padded_width, epilogue});
  }
}

Status Session::State::check(const Request& request) const noexcept {
  const Layout& layout = impl.layout;
  if (request.tokens.size() > kMaximumTokens) return Status::too_many_tokens;
  if (request.numerics.size() != layout.numerics.size()) return Status::wrong_numeric_count;
  for (const double value : request.numerics) {
    if (!(std::fabs(value) <= kNumericLimit)) return Status::numeric_out_of_range;
  }
  if (layout.flags.size() < 64 && request.flags >> layout.flags.size() != 0) return Status::unknown_flag;
  if (request.categories.size() != layout.embeddings.size()) return Status::wrong_category_count;
  for (size_t i = 0; i < layout.embeddings.size(); ++i) {
    if (request.categories[i] >= layout.embeddings[i].categories) return Status::category_out_of_range;
  }
  return Status::ok;
}

/// The active rows behind the sketch: every numeric feature's encoded values, the flags that are set, the
/// categories.
size_t Session::State::collect_terms(const Request& request) noexcept {
  const Layout& layout = impl.layout;
  size_t count = 0;
  for (size_t i = 0; i < layout.numerics.size(); ++i) {
    const features::Encoding& encoding = layout.encodings[layout.numerics[i].encoding];
    float encoded[features::kMaximumEncoded];
    encoding.encode(request.numerics[i], encoded);
    for (uint32_t k = 0; k < encoding.values(); ++k)
      terms[count++] = {layout.numerics[i].first_row + k, encoded[k]};
  }
  for (size_t i = 0; i < layout.flags.size(); ++i) {
    if ((request.flags >> i & 1) != 0) terms[count++] = {layout.flags[i].row, 1.0F};
  }
  for (size_t i = 0; i < layout.embeddings.size(); ++i) {
    terms[count++] = {layout.embeddings[i].first_row + request.categories[i], 1.0F};
  }
  return count;
}

void Session::State::run_first_layer(const Request& request) noexcept {
  const Plan& plan = impl.plan;
  const Layout& layout = impl.layout;
  for (uint64_t o = 0; o < plan.stride; ++o) values[o] = plan.bias[o];
  if (request.tokens.size() > 2) {
    const std::span<const uint32_t> tokens = request.tokens.subspan(1, request.tokens.size() - 2);
    const float tweet_scale =
        layout.norm == fbs::SketchNorm::tweet ? sketch.tweet_scale(layout, tokens) : 0.0F;
    for (uint32_t d = 0; d < layout.depth; ++d) {
      const Sketch::Depth active = sketch.depth(layout, tokens, d);
      if (active.terms.empty()) continue;
      const float scale = layout.norm == fbs::SketchNorm::tweet ? tweet_scale : active.row_scale();
      impl.kernels->add_rows_f32(plan.rows, plan.stride, plan.stride, active.terms.data(),
                                 active.terms.size(), scale, values);
    }
  }
  const size_t count = collect_terms(request);
  impl.kernels->add_rows_f32(plan.rows, plan.stride, plan.stride, terms, count, 1.0F, values);
}

Status Session::State::fill_from_row(const Row& row, const formats::HistoryFile& history,
                                     const Communities* communities, Request& request) noexcept {
  const Layout& layout = impl.layout;
  if (!layout.from_rows) return Status::layout_needs_request;
  if (layout.needs_communities && communities == nullptr) return Status::layout_needs_communities;
  const features::RowFeatures features =
      features::row_features(row, history, communities, layout.needs_shown);
  for (size_t i = 0; i < layout.numerics.size(); ++i) {
    numerics[i] = features.numerics[static_cast<size_t>(layout.numerics[i].source)];
  }
  for (size_t i = 0; i < layout.flags.size(); ++i) {
    request.flags |= (features.flags >> layout.flags[i].source & 1) << i;
  }
  for (size_t i = 0; i < layout.embeddings.size(); ++i) {
    const uint32_t sources[] = {model.language_category(row.language), features.hour, features.day};
    categories[i] = sources[layout.embeddings[i].source];
  }
  request.tokens = row.tokens;
  request.numerics = {numerics, layout.numerics.size()};
  request.categories = {categories, layout.embeddings.size()};
  return Status::ok;
}

Session::Session(Model model) : state_(std::make_unique<State>(std::move(model))) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

const Model& Session::model() const noexcept {
  return state_->model;
}

Status Session::score(const Request& request, Scores& scores) noexcept {
  State& state = *state_;
  if (const Status status = state.check(request); status != Status::ok) return status;
  state.run_first_layer(request);
  for (const BoundStep& bound : state.steps) {
    const PlanStep& step = *bound.step;
    if (step.weights == nullptr) {
      state.impl.kernels->activate_f32(bound.input, bound.outputs, bound.epilogue, bound.output);
    } else {
      state.impl.kernels->gemv_f32(step.weights, step.panel, bound.inputs, bound.outputs, bound.input,
                                   step.bias, bound.epilogue, bound.output);
    }
  }
  const float* logits = state.values + state.impl.plan.values[state.impl.plan.output].offset;
  for (size_t i = 0; i < kTargets; ++i) {
    scores.logits[i] = logits[i];
    scores.probabilities[i] = features::sigmoid(logits[i]);
  }
  return Status::ok;
}

Status Session::score(const Row& row, const formats::HistoryFile& history, Scores& scores,
                      const Communities* communities) noexcept {
  Request request;
  const Status status = state_->fill_from_row(row, history, communities, request);
  return status == Status::ok ? score(request, scores) : status;
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
    case Status::layout_needs_request:
      return "the layout has features that rows and history do not give";
    case Status::layout_needs_communities:
      return "the layout has community features, but no communities were given";
  }
  return "unknown status";
}

}  // namespace kinglet
