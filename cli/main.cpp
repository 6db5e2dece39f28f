#include <csignal>
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

#include "kinglet/formats/error.h"

#include "progress.h"
#include "verbs.h"

namespace {

// docs/command-line.md
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kSignal = 128;

int fail(const char* message) {
  std::fprintf(stderr, "kinglet: %s\n", message);
  return kFailed;
}

int run(int argc, char** argv) {
  CLI::App app("Predicts whether a reader will like, retweet, quote or reply to a tweet.", "kinglet");
  app.set_version_flag("--version", "kinglet " KINGLET_VERSION);
  app.require_subcommand(1);
  kinglet::cli::add_convert(app);
  kinglet::cli::add_inspect(app);
  kinglet::cli::add_verify(app);
  kinglet::cli::add_history(app);
  kinglet::cli::add_features(app);
  kinglet::cli::add_score(app);
  kinglet::cli::add_bench(app);
  kinglet::cli::add_evaluate(app);
  kinglet::cli::add_simulate(app);
#ifdef KINGLET_TRAIN
  kinglet::cli::add_codebook(app);
  kinglet::cli::add_train(app);
#endif
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  } catch (const kinglet::Interrupted& error) {
    fail(error.what());
    return kSignal + kinglet::cli::interruption();
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // A file that may not grow is an error of write(2), reported like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  kinglet::cli::catch_interruptions();
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    return fail("not enough memory");
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
