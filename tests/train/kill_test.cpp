#include <chrono>
#include <csignal>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"
#include "train/training_rows.h"

// kill -9 at random times, again and again, until a run gets to its end: its results must be those of a run
// that was left alone. At most KINGLET_KILLS runs are killed.

namespace {

using namespace kinglet::test;

std::vector<std::string> command(const std::filesystem::path& folder, const std::string& output) {
  return {KINGLET_PROGRAM,
          "train",
          "--train",
          folder / "world/train",
          "--valid",
          folder / "world/valid",
          "--codebook",
          folder / "codebook.json",
          "--hidden",
          "64",
          "--width",
          "16",
          "--batch",
          "32",
          "--threads",
          "2",
          "--bootstrap",
          "0",
          "--checkpoint-every",
          "0",
          "-o",
          folder / output};
}

pid_t start(const std::vector<std::string>& arguments) {
  std::vector<char*> list;
  for (const std::string& argument : arguments) list.push_back(const_cast<char*>(argument.c_str()));
  list.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execv(list[0], list.data());
    ::_exit(127);
  }
  REQUIRE(child > 0);
  return child;
}

/// The exit status of a run that is killed after `delay`, if it has not ended by then.
int run_for(const std::vector<std::string>& arguments, std::chrono::milliseconds delay) {
  const pid_t child = start(arguments);
  std::this_thread::sleep_for(delay);
  ::kill(child, SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

int run_to_the_end(const std::vector<std::string>& arguments) {
  int status = 0;
  REQUIRE(::waitpid(start(arguments), &status, 0) > 0);
  return status;
}

}  // namespace

TEST_CASE("killed at random times, training ends in the same bits") {
  const TempDir folder;
  write_training_data(folder.path());
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(run_to_the_end(command(folder.path(), "whole")) == 0);
  const auto whole =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);

  std::mt19937 random(std::random_device{}());
  int killed = 0;
  for (int run = 0; run < KINGLET_KILLS; ++run) {
    std::uniform_int_distribution<int64_t> delay(0, whole.count());
    if (WIFSIGNALED(run_for(command(folder.path(), "killed"), std::chrono::milliseconds(delay(random)))))
      ++killed;
  }
  MESSAGE(killed << " of " << KINGLET_KILLS << " runs were killed before their end");
  REQUIRE(run_to_the_end(command(folder.path(), "killed")) == 0);
  for (const char* name :
       {"weights.safetensors", "model.kinglet", "history.kinglet", "languages.json", "report.json"}) {
    INFO(name);
    CHECK(read_file((folder / "whole") / name) == read_file((folder / "killed") / name));
  }
}
