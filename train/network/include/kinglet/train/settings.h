#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kinglet/feature_set.h"

namespace kinglet::train {

/// How the learning rate moves (docs/training.md). paper: linearly to 0 over each stage. program: as the
/// published program, constant within each day of training rows and 0.96 times lower from day to day, then
/// halved with each epoch over the validation rows, the optimiser restarted each time.
enum class Schedule : uint8_t { paper, program };

/// Groups of inputs, as in the paper's ablations (spec section 9). A group that is off has weights of 0, so
/// that the model takes no notice of it whatever it is shown.
struct FeatureGroups {
  bool interactions = true;  // the history values but those of similar authors
  bool similar = true;       // the 5 values of similar authors
  bool content = true;       // of the tweet: counts of hashtags and tokens, media, links, type, language
  bool calendar = true;      // the hour and the day of the month
  bool accounts = true;      // followers, following, ages, verified, engagee_follows_engager
  bool text = true;          // the sketch, or the mean of the token vectors

  friend bool operator==(const FeatureGroups&, const FeatureGroups&) = default;
};

/// Everything that decides the result, beside the rows and the codebook. The defaults are the paper's (spec
/// sections 6 and 7); the small preset was found by experiment on training rows alone (docs/training.md).
struct Settings {
  static Settings paper() { return {}; }
  static Settings small();

  uint32_t hidden = 1500;
  uint32_t depth = 20;   // of the sketch where the codebook is empty
  uint32_t width = 256;  // of the sketch
  uint32_t batch = 256;
  uint32_t epochs = 2;        // stage 1, over the training rows
  uint32_t valid_epochs = 3;  // stage 2, over the validation rows that are not held out
  double rate = 1e-4;         // learning rate at a stage's start
  double weight_decay = 0.01;
  Schedule schedule = Schedule::paper;
  uint64_t holdout_every = 10;  // spec section 2
  uint64_t seed = 0;
  uint32_t threads = 0;  // 0: one a CPU. The result does not depend on it
  FeatureGroups features;
  FeatureSet feature_set;  // `text` is what the token table says
  /// 0: a training row sees the train history but its own day, and the valid history (spec section 2). Else
  /// the days on which training rows were shown, from the first to the last, are cut into this many periods,
  /// and a row sees the train history of the periods before the one it was shown in, as when rows are scored,
  /// and nothing of the valid history.
  uint32_t history_periods = 0;
  /// Share of the inputs that each training row loses at random; embeddings lose none.
  double input_dropout = 0;
  /// A training row's weight in the loss halves with each such share of all training rows that are of later
  /// days; 0: all count alike.
  double half_life = 0;
  /// Output biases start at the log-odds of the reactions' rates in the training rows instead of at random.
  bool base_rate_bias = false;
  /// The output layer's initial weights are multiplied by this.
  double output_scale = 1;
  /// Strength of a penalty on hidden units below 0, where the leaky ReLU bends. Added to the loss for each of
  /// the first three hidden layers: this times the mean over rows and units of max(-z, 0) / (deviation of the
  /// unit's activations). The fewer there are, the less a model with folded layers reads (docs/numerics.md,
  /// "The sign skeleton"). Reported losses are without it.
  double flip_penalty = 0;

  /// Throws Error naming the option that is out of range.
  void check() const;
  /// Name and value of each, as in report.json and checkpoints.
  std::vector<std::pair<std::string, std::string>> described() const;
};

}  // namespace kinglet::train
