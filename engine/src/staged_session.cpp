#include "staged_session.h"

#include <algorithm>
#include <utility>

#include "model_impl.h"
#include "read_scores.h"

namespace kinglet {
namespace {

size_t steps_before_output(const Plan& plan) {
  const auto last = std::find_if(plan.steps.begin(), plan.steps.end(),
                                 [&](const PlanStep& step) { return step.output == plan.output; });
  return static_cast<size_t>(last - plan.steps.begin());
}

}  // namespace

StagedSession::StagedSession(Model model)
    : model_(std::move(model)),
      impl_(*model_.impl_),
      first_layer_(impl_.layout, impl_.plan, *impl_.kernels),
      layers_(impl_.plan, *impl_.kernels, 1),
      hidden_steps_(steps_before_output(impl_.plan)) {
  first_layer_.book(arena_);
  layers_.book(arena_);
  row_request_.book(impl_.layout, arena_);
  arena_.allocate();
  first_layer_.take(arena_);
  layers_.take(arena_);
  row_request_.take(arena_);
}

void StagedSession::look_up(const Row& row, const formats::HistoryFile& history) noexcept {
  features_ = {};
  features::look_up(row, history, impl_.layout.needs_shown, features_);
}

void StagedSession::make_request(const Row& row) noexcept {
  features::add_own_features(row, nullptr, features_);
  request_ = row_request_.fill(model_, impl_.layout, row, features_);
}

void StagedSession::first_layer() noexcept {
  first_layer_.run(request_, layers_.values(0));
}

void StagedSession::hidden() noexcept {
  layers_.run_steps(0, hidden_steps_, 1);
}

void StagedSession::output(Scores& scores) noexcept {
  layers_.run_steps(hidden_steps_, impl_.plan.steps.size(), 1);
  read_scores(layers_.logits(0), scores);
}

}  // namespace kinglet
