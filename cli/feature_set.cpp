#include "feature_set.h"

namespace kinglet::cli {

void FeatureSetArguments::add_to(Verb verb) {
  verb.flag_or_not(
      "shown-counters", shown,
      "Read the train history's tweet counters and rows without a reaction too (8 numeric features)");
  verb.flag_or_not("fine-ages", fine_ages,
                   "Read the accounts' ages in seconds, beside those in days (2 numeric features)");
  verb.option("--encoding", encoding, "Of numbers: fourier (the paper's), or log_steps of log2(1 + x)")
      .one_of({"fourier", "log_steps"});
  verb.option("--sketch-norm", sketch_norm, "Normalise each depth row (the paper's), or the whole tweet")
      .one_of({"row", "tweet"});
}

void FeatureSetArguments::apply(FeatureSet& set) const {
  if (shown) set.shown = *shown;
  if (fine_ages) set.fine_ages = *fine_ages;
  if (encoding) {
    set.encoding =
        *encoding == "fourier" ? features::EncodingKind::fourier : features::EncodingKind::log_steps;
  }
  if (sketch_norm) {
    set.sketch_norm = *sketch_norm == "row" ? fbs::SketchNorm::row : fbs::SketchNorm::tweet;
  }
}

}  // namespace kinglet::cli
