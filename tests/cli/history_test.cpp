// `kinglet history build` and `kinglet features` from the outside.

#include <algorithm>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "history/oracle.h"
#include "history/world.h"
#include "support/process.h"
#include "support/support.h"

using namespace kinglet::test;

namespace {

struct Rows {
  Rows() {
    Random random(1);
    train_text = random_rows(random, {}, 300);
    valid_text = random_rows(random, {}, 100);
    write_file(folder / "train", train_text);
    write_file(folder / "valid", valid_text);
  }
  std::string path(std::string_view name) const { return (folder / name).string(); }
  ProcessResult run(std::vector<std::string> verb, const std::vector<std::string>& more) const {
    verb.insert(verb.begin(), KINGLET_PROGRAM);
    verb.insert(verb.end(), {"--train", path("train"), "--valid", path("valid"), "-o", path("out")});
    verb.insert(verb.end(), more.begin(), more.end());
    return run_process(verb);
  }

  TempDir folder;
  std::string train_text;
  std::string valid_text;
};

std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

/// Waits until the process holds a temporary file, which it does while it counts; false if it ended before.
bool wait_until_counting(pid_t process) {
  const std::filesystem::path descriptors = "/proc/" + std::to_string(process) + "/fd";
  siginfo_t ended{};
  while (::waitid(P_PID, static_cast<id_t>(process), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         ended.si_pid == 0) {
    std::error_code gone;
    for (std::filesystem::directory_iterator entry(descriptors, gone), end; !gone && entry != end;
         entry.increment(gone)) {
      const std::string target = std::filesystem::read_symlink(entry->path(), gone).string();
      if (target.find(".spill-") != std::string::npos) return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

}  // namespace

TEST_CASE("features writes the oracle's lines, with any --memory and --holdout-every") {
  const Rows rows;
  for (const std::string every : {"10", "0", "7"}) {
    const HistoryOracle oracle(rows.train_text, rows.valid_text, std::stoull(every));
    for (const std::string split : {"train", "valid", "holdout"}) {
      const ProcessResult result =
          rows.run({"features"}, {"--split", split, "--holdout-every", every, "--memory", "2M"});
      CAPTURE(result.err);
      REQUIRE(result.exit_code == 0);
      CHECK(result.out.empty());
      CHECK(read_file(rows.folder / "out") == oracle.feature_lines(split));
    }
  }
}

TEST_CASE("features of the real rows equal the golden ones") {
  REQUIRE_SHARED(shared);
  const TempDir folder;
  for (const std::string set : {"pheme", "deskdrop"}) {
    std::string all;
    for (const std::string split : {"train", "valid", "holdout"}) {
      const auto data = shared / "data" / set;
      const ProcessResult result =
          run_process({KINGLET_PROGRAM, "features", "--train", (data / "train").string(), "--valid",
                       (data / "valid").string(), "--split", split, "-o", (folder / "out").string()});
      REQUIRE(result.exit_code == 0);
      all += read_file(folder / "out");
    }
    const auto golden = sorted_lines(read_gz(shared / "golden" / ("history_" + set) / "features.tsv.gz"));
    CHECK(golden.size() > 29'000);
    CHECK((sorted_lines(all) == golden));
  }
}

TEST_CASE("history build reports what it made, as text and as JSON") {
  const Rows rows;
  const ProcessResult text = rows.run({"history", "build"}, {});
  REQUIRE(text.exit_code == 0);
  CHECK(text.out.find("300 rows") != std::string::npos);
  CHECK(text.err.empty());  // no progress where standard error is no terminal
  const std::string bytes = read_file(rows.folder / "out");

  const ProcessResult json = rows.run({"history", "build"}, {"--json", "--memory", "1M"});
  REQUIRE(json.exit_code == 0);
  CHECK(read_file(rows.folder / "out") == bytes);
  const auto report = nlohmann::json::parse(json.out);
  const HistoryOracle oracle(rows.train_text, rows.valid_text, 10);
  CHECK(report.at("file_bytes") == bytes.size());
  CHECK(report.at("train_rows") == 300);
  CHECK(report.at("valid_rows") == 90);
  CHECK(report.at("held_out_rows") == 10);
  CHECK(report.at("train_keys") == oracle.keys()[0]);
  CHECK(report.at("valid_keys") == oracle.keys()[1]);
  CHECK(report.at("bytes_per_key").get<double>() > 0);
  CHECK(report.at("peak_memory_bytes").get<uint64_t>() > 0);
}

TEST_CASE("a bound on memory that cannot work is a usage error") {
  const Rows rows;
  for (const std::string memory : {"0", "1000", "-1M", "1X"}) {
    CAPTURE(memory);
    CHECK(rows.run({"history", "build"}, {"--memory", memory}).exit_code == 2);
  }
  CHECK(!std::filesystem::exists(rows.folder / "out"));
}

TEST_CASE("a signal ends the build, which leaves nothing behind") {
  const Rows rows;
  std::filesystem::create_directory(rows.folder / "parts");
  // A million rows or more: one part under many names.
  Random random(2);
  write_file(rows.folder / "parts/part-0000", random_rows(random, {}, 5'000));
  for (int part = 1'000; part < 1'400; ++part) {
    std::filesystem::create_hard_link(rows.folder / "parts/part-0000",
                                      rows.folder / "parts" / ("part-" + std::to_string(part)));
  }
  const std::string parts = rows.path("parts");
  const std::string out = rows.path("out");
  for (const int number : {SIGINT, SIGTERM}) {
    const pid_t process = ::fork();
    if (process == 0) {
      const int silence = ::open("/dev/null", O_RDWR);
      ::dup2(silence, STDERR_FILENO);
      ::execl(KINGLET_PROGRAM, KINGLET_PROGRAM, "history", "build", "--train", parts.c_str(), "-o",
              out.c_str(), nullptr);
      ::_exit(127);
    }
    REQUIRE(process > 0);
    REQUIRE(wait_until_counting(process));
    ::kill(process, number);
    int status = 0;
    REQUIRE(::waitpid(process, &status, 0) == process);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 128 + number);
    CHECK(std::distance(std::filesystem::directory_iterator(rows.folder.path()), {}) == 3);
  }
}
