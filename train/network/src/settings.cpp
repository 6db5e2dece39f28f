#include "kinglet/train/settings.h"

#include <fmt/format.h>

#include "kinglet/formats/error.h"

namespace kinglet::train {
namespace {

template <typename T>
void check_range(const char* option, T value, T least, T most) {
  if (value >= least && value <= most) return;
  throw Error(option, "", fmt::format("{}, expected {} to {}", value, least, most));
}

std::string groups_text(const FeatureGroups& groups) {
  std::string text;
  const auto add = [&](bool on, const char* name) {
    if (on) text += (text.empty() ? "" : ",") + std::string(name);
  };
  add(groups.interactions, "interactions");
  add(groups.similar, "similar");
  add(groups.content, "content");
  add(groups.calendar, "calendar");
  add(groups.accounts, "accounts");
  add(groups.text, "text");
  return text;
}

}  // namespace

Settings Settings::small() {
  Settings settings;
  settings.hidden = 256;
  settings.rate = 1e-3;
  settings.epochs = 8;
  settings.base_rate_bias = true;
  settings.output_scale = 0.1;
  settings.input_dropout = 0.2;
  settings.history_periods = 20;
  settings.half_life = 0.3;
  settings.features.calendar = false;
  settings.feature_set.shown = true;
  settings.feature_set.fine_ages = true;
  settings.feature_set.encoding = features::EncodingKind::log_steps;
  return settings;
}

void Settings::check() const {
  check_range<uint32_t>("--hidden", hidden, 1, 16'384);
  check_range<uint32_t>("--depth", depth, 1, 256);
  check_range<uint32_t>("--width", width, 1, 65'535);
  check_range<uint32_t>("--batch", batch, 2, 65'536);
  check_range<uint32_t>("--epochs", epochs, 0, 10'000);
  check_range<uint32_t>("--valid-epochs", valid_epochs, 0, 10'000);
  check_range<double>("--rate", rate, 0, 1e3);
  check_range<double>("--weight-decay", weight_decay, 0, 1e3);
  check_range<double>("--flip-penalty", flip_penalty, 0, 1e3);
  check_range<double>("--output-scale", output_scale, 0, 1e3);
  check_range<uint32_t>("--threads", threads, 0, 1'024);
  check_range<uint32_t>("--history-periods", history_periods, 0, 1'000);
  check_range<double>("--input-dropout", input_dropout, 0, 0.9);
  if (half_life != 0) check_range<double>("--half-life", half_life, 0.01, 100);
  if (groups_text(features).empty()) throw Error("--features", "", "expected at least one group");
}

std::vector<std::pair<std::string, std::string>> Settings::described() const {
  return {
      {"hidden", fmt::to_string(hidden)},
      {"depth", fmt::to_string(depth)},
      {"width", fmt::to_string(width)},
      {"batch", fmt::to_string(batch)},
      {"epochs", fmt::to_string(epochs)},
      {"valid-epochs", fmt::to_string(valid_epochs)},
      {"rate", fmt::to_string(rate)},
      {"weight-decay", fmt::to_string(weight_decay)},
      {"schedule", schedule == Schedule::paper ? "paper" : "program"},
      {"holdout-every", fmt::to_string(holdout_every)},
      {"seed", fmt::to_string(seed)},
      {"threads", fmt::to_string(threads)},
      {"features", groups_text(features)},
      {"layout", feature_set.name()},
      {"history-periods", fmt::to_string(history_periods)},
      {"input-dropout", fmt::to_string(input_dropout)},
      {"half-life", fmt::to_string(half_life)},
      {"base-rate-bias", base_rate_bias ? "yes" : "no"},
      {"output-scale", fmt::to_string(output_scale)},
      {"flip-penalty", fmt::to_string(flip_penalty)},
  };
}

}  // namespace kinglet::train
