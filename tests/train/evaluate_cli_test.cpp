// `kinglet simulate` and `kinglet evaluate` from the outside: what they print, how they exit, what they
// leave.

#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/process.h"
#include "support/support.h"

using namespace kinglet::test;
using nlohmann::json;

namespace {

ProcessResult run_kinglet(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), KINGLET_PROGRAM);
  return run_process(arguments);
}

/// A small world in a folder of its own.
class SimulatedFolder {
 public:
  SimulatedFolder() {
    result_ = run_kinglet(
        {"simulate", "--rows", "20000", "--seed", "5", "--part-rows", "7000", "--json", "-o", path("world")});
    CAPTURE(result_.err);
    REQUIRE(result_.exit_code == 0);
  }
  json report() const { return json::parse(result_.out); }
  std::string path(std::string_view name) const { return (folder_ / name).string(); }
  std::vector<std::string> evaluate() const {
    return {"evaluate", "--scores", path("world/truth/valid"), "--rows", path("world/valid")};
  }

 private:
  TempDir folder_;
  ProcessResult result_;
};

std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// The scores of a folder's first part with every probability pulled half-way to 0.1.
void write_duller_scores(const std::string& from, const std::string& to) {
  std::ifstream in(from + "/part-00000");
  std::ofstream out(to);
  std::string line;
  std::getline(in, line);
  out << line << '\n';
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    for (int i = 0; std::getline(fields, line, ','); ++i) {
      if (i > 0) out << ',';
      if (i < 2) {
        out << line;
      } else {
        out << 0.5 * std::stod(line) + 0.05;
      }
    }
    out << '\n';
  }
}

}  // namespace

TEST_CASE("both verbs explain their flags") {
  const ProcessResult simulate = run_kinglet({"simulate", "--help"});
  for (const char* flag : {"--rows", "--days", "--valid-days", "--seed", "--readers", "--authors",
                           "--languages", "--vocabulary", "--part-rows", "--output", "--json"}) {
    CHECK(simulate.out.find(flag) != std::string::npos);
  }
  const ProcessResult evaluate = run_kinglet({"evaluate", "--help"});
  for (const char* flag :
       {"--scores", "--rows", "--truth", "--baseline", "--popularity", "--bootstrap", "--seed", "--json"}) {
    CHECK(evaluate.out.find(flag) != std::string::npos);
  }
  CHECK(run_kinglet({"evaluate"}).exit_code == 2);
  CHECK(run_kinglet({"simulate", "--rows", "many", "-o", "x"}).exit_code == 2);
}

TEST_CASE("the true probabilities evaluate to what the simulation reported") {
  const SimulatedFolder folder;
  const json simulated = folder.report();
  CHECK(simulated.at("readers") == 1'024);
  CHECK(simulated.at("train").at("parts") == 3);
  const ProcessResult result =
      run_kinglet(with(folder.evaluate(), {"--truth", folder.path("world/truth/valid"), "--popularity",
                                           folder.path("world/train"), "--bootstrap", "20", "--json"}));
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  const json evaluated = json::parse(result.out);
  CHECK(evaluated.at("rows") == simulated.at("valid").at("rows"));
  for (const char* reaction : {"like", "reply", "retweet"}) {
    CAPTURE(reaction);
    const json& expected = simulated.at("valid").at("reactions").at(reaction);
    const json& found = evaluated.at("scores").at("all").at(reaction);
    CHECK(found.at("positives") == expected.at("positives"));
    CHECK(found.at("relative_cross_entropy").get<double>() ==
          doctest::Approx(expected.at("truth_relative_cross_entropy").get<double>()).epsilon(1e-12));
    CHECK(found.at("average_precision").get<double>() ==
          doctest::Approx(expected.at("truth_average_precision").get<double>()).epsilon(0.01));
    CHECK(evaluated.at("share_of_truth_reached").at(reaction).at("average_precision") == 1);
    CHECK(evaluated.at("share_of_way_from_popularity_to_truth").at(reaction).at("relative_cross_entropy") ==
          1);
    const json& interval = evaluated.at("scores").at("interval_95").at(reaction).at("average_precision");
    CHECK(interval.at(0).get<double>() < found.at("average_precision").get<double>());
    CHECK(interval.at(1).get<double>() > found.at("average_precision").get<double>());
    const json& popularity = evaluated.at("popularity").at("all").at(reaction);
    CHECK(popularity.at("relative_cross_entropy").get<double>() <
          found.at("relative_cross_entropy").get<double>());
  }
  CHECK(evaluated.at("scores").at("author_groups").size() == 5);

  const ProcessResult text = run_kinglet(folder.evaluate());
  REQUIRE(text.exit_code == 0);
  for (const char* title : {"all rows", "authors by followers", "mean of groups", "languages"}) {
    CHECK(text.out.find(title) != std::string::npos);
  }
}

TEST_CASE("a baseline adds differences with their paired intervals") {
  const SimulatedFolder folder;
  write_duller_scores(folder.path("world/truth/valid"), folder.path("duller.csv"));
  const std::vector<std::string> compared =
      with(folder.evaluate(), {"--baseline", folder.path("duller.csv")});
  const ProcessResult result = run_kinglet(with(compared, {"--json"}));
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  const json evaluated = json::parse(result.out);
  CHECK(evaluated.at("bootstrap").at("replicates") == 1'000);
  const json& baseline = evaluated.at("baseline");
  CHECK(!evaluated.at("scores").contains("scores_minus_this"));
  for (const char* reaction : {"like", "reply", "retweet"}) {
    CAPTURE(reaction);
    const json& scores = evaluated.at("scores").at("all").at(reaction);
    for (const char* metric : {"average_precision", "relative_cross_entropy"}) {
      CAPTURE(metric);
      const double difference = baseline.at("scores_minus_this").at(reaction).at(metric);
      CHECK(difference ==
            scores.at(metric).get<double>() - baseline.at("all").at(reaction).at(metric).get<double>());
      const json& interval = baseline.at("scores_minus_this_interval_95").at(reaction).at(metric);
      CHECK(interval.at(0).get<double>() <= difference);
      CHECK(interval.at(1).get<double>() >= difference);
    }
    // The order of the rows is the same but for printed digits; the cross entropy is not.
    CHECK(std::abs(baseline.at("scores_minus_this").at(reaction).at("average_precision").get<double>()) <
          0.01);
    CHECK(baseline.at("scores_minus_this_interval_95").at(reaction).at("relative_cross_entropy").at(0) > 0);
  }

  const json plain = json::parse(run_kinglet(with(compared, {"--json", "--bootstrap", "0"})).out);
  CHECK(plain.at("baseline").contains("scores_minus_this"));
  CHECK(!plain.at("baseline").contains("scores_minus_this_interval_95"));
  const ProcessResult text = run_kinglet(with(compared, {"--bootstrap", "20"}));
  CHECK(text.out.find("20 bootstrap replicates") != std::string::npos);
  CHECK(text.out.find("scores - baseline") != std::string::npos);
}

TEST_CASE("scores that are their own baseline differ by nothing") {
  const SimulatedFolder folder;
  const json evaluated = json::parse(
      run_kinglet(with(folder.evaluate(), {"--baseline", folder.path("world/truth/valid"), "--json"})).out);
  for (const char* metric : {"average_precision", "relative_cross_entropy"}) {
    CHECK(evaluated.at("baseline").at("scores_minus_this").at("like").at(metric) == 0);
    CHECK(evaluated.at("baseline").at("scores_minus_this_interval_95").at("like").at(metric) ==
          json::array({0.0, 0.0}));
  }
}

TEST_CASE("scores of other rows fail with one line, and a used folder is not written to") {
  const SimulatedFolder folder;
  const ProcessResult other = run_kinglet(
      {"evaluate", "--scores", folder.path("world/truth/train"), "--rows", folder.path("world/valid")});
  CHECK(other.exit_code == 1);
  CHECK(other.out.empty());
  CHECK(other.err.find("kinglet: " + folder.path("world/truth/train/part-00000") +
                       ": line 2: expected tweet") == 0);
  const ProcessResult again = run_kinglet({"simulate", "--rows", "10", "-o", folder.path("world")});
  CHECK(again.exit_code == 1);
  CHECK(again.err.find("expected a folder that is missing or empty") != std::string::npos);
}
