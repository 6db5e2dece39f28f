#include "feature_set.h"

namespace kinglet::cli {

void add_switch(CLI::App& verb, const std::string& name, std::optional<bool>& value,
                const std::string& help) {
  verb.add_flag_function(
      "--" + name + ",!--no-" + name, [&value](int64_t count) { value = count > 0; }, help);
}

void FeatureSetArguments::add_to(CLI::App& verb) {
  add_switch(verb, "shown-counters", shown,
             "Read the train history's tweet counters and rows without a reaction too (8 numeric features)");
  add_switch(verb, "fine-ages", fine_ages,
             "Read the accounts' ages in seconds, beside those in days (2 numeric features)");
  verb.add_option("--encoding", encoding, "Of numbers: fourier (the paper's), or log_steps of log2(1 + x)")
      ->check(CLI::IsMember({"fourier", "log_steps"}));
  verb.add_option("--sketch-norm", sketch_norm, "Normalise each depth row (the paper's), or the whole tweet")
      ->check(CLI::IsMember({"row", "tweet"}));
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
