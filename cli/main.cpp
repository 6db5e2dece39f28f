#include <csignal>
#include <cstdio>
#include <exception>

#include "kinglet/formats/error.h"

#include "arguments.h"
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
  using namespace kinglet::cli;
  Program program("kinglet", "Predicts whether a reader will like, retweet, quote or reply to a tweet.",
                  "kinglet " KINGLET_VERSION);
  Verb verbs = program.verb();
  verbs.require_verb();
  add_convert(verbs);
  add_inspect(verbs);
  add_verify(verbs);
  add_history(verbs);
  add_features(verbs);
  add_score(verbs);
  add_bench(verbs);
  add_evaluate(verbs);
  add_simulate(verbs);
#ifdef KINGLET_TRAIN
  add_codebook(verbs);
  add_train(verbs);
#endif
  try {
    return program.run(argc, argv) ? 0 : kUsage;
  } catch (const kinglet::Interrupted& error) {
    fail(error.what());
    return kSignal + interruption();
  }
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
