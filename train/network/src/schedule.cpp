#include "schedule.h"

#include <cmath>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include "random.h"

namespace kinglet::train {
namespace {

// The published program's schedule.
constexpr double kDayDecay = 0.96;
constexpr double kValidEpochDecay = 0.5;

Pass make_pass(std::string name, bool valid, uint64_t rows, const Settings& settings) {
  Pass pass;
  pass.name = std::move(name);
  pass.valid = valid;
  pass.rows = rows;
  pass.steps = steps_of(rows, settings.batch);
  pass.rate = settings.rate;
  return pass;
}

std::string epoch_name(bool valid, uint32_t epoch, uint32_t epochs) {
  return fmt::format("stage {}, epoch {} of {}", valid ? 2 : 1, epoch + 1, epochs);
}

void add_linear_stage(bool valid, uint32_t epochs, uint64_t rows, const Settings& settings,
                      std::vector<Pass>& passes) {
  const uint64_t steps = steps_of(rows, settings.batch);
  for (uint32_t epoch = 0; epoch < epochs && steps > 0; ++epoch) {
    Pass pass = make_pass(epoch_name(valid, epoch, epochs), valid, rows, settings);
    pass.restart = epoch == 0;
    pass.stage_offset = epoch * steps;
    pass.stage_steps = epochs * steps;
    passes.push_back(std::move(pass));
  }
}

void add_program_stages(const Settings& settings, const RowCache& train, const RowCache& valid,
                        std::vector<Pass>& passes) {
  std::map<int64_t, uint64_t> days;
  for (size_t i = 0; i < train.rows(); ++i) ++days[train.part(i)];
  double rate = settings.rate;
  for (uint32_t epoch = 0; epoch < settings.epochs; ++epoch) {
    size_t number = 0;
    for (const auto& [day, rows] : days) {
      Pass pass = make_pass(
          fmt::format("{}, day {} of {}", epoch_name(false, epoch, settings.epochs), ++number, days.size()),
          false, rows, settings);
      pass.day = day;
      pass.restart = true;
      pass.rate = rate;
      rate *= kDayDecay;
      if (pass.steps > 0) passes.push_back(std::move(pass));
    }
  }
  rate = settings.rate;
  for (uint32_t epoch = 0; epoch < settings.valid_epochs && steps_of(valid.rows(), settings.batch) > 0;
       ++epoch) {
    Pass pass = make_pass(epoch_name(true, epoch, settings.valid_epochs), true, valid.rows(), settings);
    pass.restart = true;
    pass.rate = rate;
    rate *= kValidEpochDecay;
    passes.push_back(std::move(pass));
  }
}

}  // namespace

double Pass::rate_at(uint64_t step) const noexcept {
  if (stage_steps == 0) return rate;
  return rate * (1 - static_cast<double>(stage_offset + step) / static_cast<double>(stage_steps));
}

uint64_t steps_of(uint64_t rows, uint64_t batch) noexcept {
  return rows / batch + (rows % batch > 1 ? 1 : 0);
}

std::vector<Pass> make_schedule(const Settings& settings, const RowCache& train, const RowCache& valid) {
  std::vector<Pass> passes;
  if (settings.schedule == Schedule::program) {
    add_program_stages(settings, train, valid, passes);
  } else {
    add_linear_stage(false, settings.epochs, train.rows(), settings, passes);
    add_linear_stage(true, settings.valid_epochs, valid.rows(), settings, passes);
  }
  return passes;
}

std::vector<uint32_t> shuffled_rows(const Pass& pass, const RowCache& cache, uint64_t seed, uint64_t index) {
  std::vector<uint32_t> rows;
  rows.reserve(pass.rows);
  for (uint32_t i = 0; i < cache.rows(); ++i) {
    if (!pass.day || cache.part(i) == *pass.day) rows.push_back(i);
  }
  constexpr uint64_t kStream = uint64_t{1} << 32;  // away from the initial weights' streams
  Random random(seed, kStream + index);
  for (size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[random.below(i)]);
  return rows;
}

}  // namespace kinglet::train
