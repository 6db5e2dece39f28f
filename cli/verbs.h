#pragma once

namespace kinglet::cli {

class Verb;

/// Each adds one verb with its flags; running it is the verb's callback, which may throw Error or
/// Interrupted.
void add_convert(Verb program);
void add_inspect(Verb program);
void add_verify(Verb program);
void add_history(Verb program);
void add_features(Verb program);
void add_score(Verb program);
void add_bench(Verb program);
void add_evaluate(Verb program);
void add_simulate(Verb program);
// With KINGLET_TRAIN.
void add_codebook(Verb program);
void add_train(Verb program);

}  // namespace kinglet::cli
