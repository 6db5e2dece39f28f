#pragma once

namespace CLI {
class App;
}

namespace kinglet::cli {

/// Each adds one verb with its flags; running it is the verb's callback, which may throw Error or
/// Interrupted.
void add_convert(CLI::App& app);
void add_inspect(CLI::App& app);
void add_verify(CLI::App& app);
void add_history(CLI::App& app);
void add_features(CLI::App& app);
void add_score(CLI::App& app);
void add_bench(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_simulate(CLI::App& app);
// With KINGLET_TRAIN.
void add_codebook(CLI::App& app);
void add_train(CLI::App& app);

}  // namespace kinglet::cli
