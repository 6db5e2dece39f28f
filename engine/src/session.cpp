#include "kinglet/session.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kinglet/features/elementary.h"
#include "kinglet/features/encoding.h"
#include "kinglet/features/row_features.h"

#include "arena.h"
#include "first_layer.h"
#include "flips.h"
#include "model_impl.h"

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

/// A table's kernel for dense layers of floats that are stored as Element.
template <typename Element>
using Gemv = void(const Element* panels, size_t panel, size_t inputs, size_t outputs, const float* in,
                  const float* bias, const kernels::Epilogue& epilogue, float* out);

size_t addend_count(const Plan& plan) {
  size_t count = 0;
  for (const PlanStep& step : plan.steps) count += step.addends.size();
  return count;
}

/// Bytes of weights that the steps read, whatever the request.
uint64_t step_bytes(const Plan& plan) {
  uint64_t bytes = 0;
  for (const PlanStep& step : plan.steps) {
    const uint64_t weights = uint64_t{plan.values[step.input].width} * plan.values[step.output].padded_width;
    if (step.kind == StepKind::dense) bytes += weights * formats::element_bytes(step.type);
  }
  return bytes;
}

/// The widest vector that a step quantises.
size_t quantised_width(const Plan& plan) {
  size_t width = 0;
  for (const PlanStep& step : plan.steps) {
    if (step.type == fbs::ElementType::s8)
      width = std::max<size_t>(width, plan.values[step.input].padded_width);
  }
  return width;
}

}  // namespace

struct Session::State {
  explicit State(Model given)
      : model(std::move(given)),
        impl(*model.impl_),
        first_layer(impl.layout, impl.plan, *impl.kernels),
        flips(*impl.kernels) {
    first_layer.book(arena);
    flips.book(impl.plan, arena);
    const size_t quantised_offset = arena.book<int16_t>(quantised_width(impl.plan));
    const size_t values_offset = arena.book<float>(impl.plan.value_floats);
    const size_t numerics_offset = arena.book<double>(impl.layout.numerics.size());
    const size_t categories_offset = arena.book<uint32_t>(impl.layout.embeddings.size());
    const size_t addends_offset = arena.book<kernels::Addend>(addend_count(impl.plan));
    arena.allocate();
    first_layer.take(arena);
    flips.take(arena);
    quantised = arena.part<int16_t>(quantised_offset);
    values = arena.part<float>(values_offset);
    numerics = arena.part<double>(numerics_offset);
    categories = arena.part<uint32_t>(categories_offset);
    bind_steps(arena.part<kernels::Addend>(addends_offset));
    bytes_of_steps = step_bytes(impl.plan);
  }

  void bind_steps(kernels::Addend* addends);
  Status check(const Request& request) const noexcept;
  void run_step(const BoundStep& bound) noexcept;
  void run_dense(const BoundStep& bound) noexcept;
  void run_dense_s8(const BoundStep& bound) noexcept;
  template <typename Element>
  void run_gemv(Gemv<Element>* gemv, const BoundStep& bound) noexcept;
  Status fill_from_row(const Row& row, const formats::HistoryFile& history, const Communities* communities,
                       Request& request) noexcept;

  Model model;
  const ModelImpl& impl;
  Arena arena;
  FirstLayer first_layer;
  Flips flips;
  int16_t* quantised = nullptr;  // a dense layer's input, in the kernels' own format
  float* values = nullptr;
  double* numerics = nullptr;
  uint32_t* categories = nullptr;
  std::vector<BoundStep> steps;
  uint64_t bytes_of_steps = 0;
  uint64_t bytes_of_flips = 0;  // in the latest score
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

void Session::State::run_step(const BoundStep& bound) noexcept {
  switch (bound.step->kind) {
    case StepKind::activate:
      impl.kernels->activate_f32(bound.input, bound.outputs, bound.epilogue, bound.output);
      break;
    case StepKind::dense:
      run_dense(bound);
      break;
    case StepKind::flip:
      bytes_of_flips += flips.run(*bound.step, bound.input, bound.inputs, bound.output, values);
      break;
  }
}

void Session::State::run_dense(const BoundStep& bound) noexcept {
  switch (bound.step->type) {
    case fbs::ElementType::bf16:
      run_gemv(impl.kernels->gemv_bf16, bound);
      break;
    case fbs::ElementType::f16:
      run_gemv(impl.kernels->gemv_f16, bound);
      break;
    case fbs::ElementType::s8:
      run_dense_s8(bound);
      break;
    default:
      run_gemv(impl.kernels->gemv_f32, bound);
      break;
  }
}

template <typename Element>
void Session::State::run_gemv(Gemv<Element>* gemv, const BoundStep& bound) noexcept {
  const PlanStep& step = *bound.step;
  gemv(static_cast<const Element*>(step.weights), step.panel, bound.inputs, bound.outputs, bound.input,
       step.bias, bound.epilogue, bound.output);
}

void Session::State::run_dense_s8(const BoundStep& bound) noexcept {
  const PlanStep& step = *bound.step;
  const size_t padded = impl.plan.values[step.input].padded_width;
  const size_t inputs = (bound.inputs + kernels::kQuad - 1) / kernels::kQuad * kernels::kQuad;
  const float unit =
      impl.kernels->quantize(bound.input, padded, kernels::activation_limit(inputs), quantised);
  impl.kernels->gemv_s8(static_cast<const int8_t*>(step.weights), inputs, bound.outputs, quantised, unit,
                        step.weights_scale, step.weights_sums, step.bias, bound.epilogue, bound.output);
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
  state.first_layer.reset_bytes();
  state.bytes_of_flips = 0;
  state.first_layer.run(request, state.values);
  for (const BoundStep& bound : state.steps) state.run_step(bound);
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

Status Session::request(const Row& row, const formats::HistoryFile& history, Request& request,
                        const Communities* communities) noexcept {
  request = {};
  return state_->fill_from_row(row, history, communities, request);
}

uint64_t Session::bytes_read() const noexcept {
  return state_->first_layer.bytes_read() + state_->bytes_of_flips + state_->bytes_of_steps;
}

std::span<const float> Session::value(std::string_view name) const noexcept {
  for (const Value& value : state_->impl.plan.values) {
    if (value.name == name) return {state_->values + value.offset, value.width};
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
    case Status::layout_needs_request:
      return "the layout has features that rows and history do not give";
    case Status::layout_needs_communities:
      return "the layout has community features, but no communities were given";
  }
  return "unknown status";
}

}  // namespace kinglet
