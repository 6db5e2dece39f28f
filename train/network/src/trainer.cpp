#include "trainer.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "kinglet/formats/error.h"

#include "state_dict.h"

namespace kinglet::train {

namespace {

constexpr uint64_t kDropoutStreams = uint64_t{1} << 42;  // away from those of weights and row orders

}  // namespace

Trainer::Trainer(const TrainerOptions& options, const Dataset& dataset, const TokenTable& tokens,
                 Network& network)
    : options_(options),
      dataset_(dataset),
      network_(network),
      optimiser_(network.parameters(), {.weight_decay = options.settings.weight_decay}),
      maker_(tokens, options.settings.feature_set, options.settings.features),
      passes_(make_schedule(options.settings, dataset.train, dataset.valid)),
      train_weights_(weights_by_age()),
      saved_(std::chrono::steady_clock::now()) {}

bool Trainer::resume() {
  if (!std::filesystem::exists(options_.checkpoint)) return false;
  position_ = read_checkpoint(options_.checkpoint, options_.identity, network_, optimiser_);
  return true;
}

std::vector<double> Trainer::weights_by_age() const {
  const double half_life = options_.settings.half_life;
  const RowCache& rows = dataset_.train;
  if (half_life == 0) return {};
  std::map<int64_t, uint64_t> later;  // rows of each day, then of all later ones
  for (size_t i = 0; i < rows.rows(); ++i) ++later[rows.part(i)];
  uint64_t seen = 0;
  for (auto day = later.rbegin(); day != later.rend(); ++day) {
    seen += day->second;
    day->second = seen - day->second;
  }
  const auto count = static_cast<double>(rows.rows());
  std::vector<double> weights(rows.rows());
  double sum = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i] = std::exp2(-static_cast<double>(later[rows.part(i)]) / count / half_life);
    sum += weights[i];
  }
  for (double& weight : weights) weight *= count / sum;
  return weights;
}

void Trainer::save() {
  write_checkpoint(options_.checkpoint, options_.identity, position_, network_, optimiser_);
  saved_ = std::chrono::steady_clock::now();
}

void Trainer::report() const {
  if (!options_.progress) return;
  const Pass& pass = passes_[position_.pass];
  const auto rows_of = [&](uint64_t step) { return std::min(step * options_.settings.batch, pass.rows); };
  options_.progress(pass.name, rows_of(position_.step) - first_row_, pass.rows - first_row_, "rows");
}

void Trainer::run() {
  try {
    while (position_.pass < passes_.size()) run_pass();
  } catch (const Interrupted&) {
    save();
    throw;
  }
  save();
}

void Trainer::run_pass() {
  const Pass& pass = passes_[position_.pass];
  const RowCache& cache = pass.valid ? dataset_.valid : dataset_.train;
  const std::vector<uint32_t> order = shuffled_rows(pass, cache, options_.settings.seed, position_.pass);
  if (pass.restart && position_.step == 0) optimiser_.restart();
  first_row_ = std::min(position_.step * options_.settings.batch, pass.rows);
  Batch batch(network_.layout().shape());
  while (position_.step < pass.steps) {
    report();
    step(order, batch);
    if (std::chrono::steady_clock::now() - saved_ >= options_.checkpoint_every) save();
  }
  const uint64_t used = std::min(pass.steps * options_.settings.batch, pass.rows);
  position_.pass_losses.push_back(position_.loss_sum / static_cast<double>(used));
  position_.loss_sum = 0;
  position_.step = 0;
  ++position_.pass;
}

void Trainer::step(const std::vector<uint32_t>& order, Batch& batch) {
  const Pass& pass = passes_[position_.pass];
  const size_t first = position_.step * options_.settings.batch;
  const size_t rows = std::min<size_t>(options_.settings.batch, order.size() - first);
  const Settings& settings = options_.settings;
  const InputDropout dropout{settings.input_dropout, settings.seed,
                             kDropoutStreams + (uint64_t{position_.pass} << 32) + position_.step};
  maker_.fill(pass.valid ? dataset_.valid : dataset_.train, {order.data() + first, rows}, dropout, batch);
  if (!pass.valid && !train_weights_.empty()) {
    for (size_t b = 0; b < rows; ++b) batch.weights.push_back(train_weights_[order[first + b]]);
  }
  optimiser_.begin_step(pass.rate_at(position_.step));
  const double loss = network_.train(batch, optimiser_);
  if (!std::isfinite(loss)) fail_at_loss();
  position_.loss_sum += loss * static_cast<double>(rows);
  ++position_.step;
}

void Trainer::fail_at_loss() const {
  std::string tensors;
  for (const auto& [name, tensor] :
       to_state_dict(network_.layout(), {network_.parameters().data(), network_.parameters().size()})) {
    const std::vector<float> values = tensor.to_f32();
    if (std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) continue;
    tensors += (tensors.empty() ? " Not finite: " : ", ") + name + ".";
  }
  const Pass& pass = passes_[position_.pass];
  throw Error(pass.name, fmt::format("batch {} of {}", position_.step + 1, pass.steps),
              "the loss is not a number; a lower --rate may help." + tensors);
}

}  // namespace kinglet::train
