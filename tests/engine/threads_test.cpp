// One model and one history under many sessions at once: nothing shared is written (ThreadSanitizer), and
// every thread gets the bits that one alone gets.
#include <thread>
#include <vector>

#include "kinglet/formats/row_reader.h"
#include "kinglet/session.h"

#include "support/small_world.h"

namespace {

std::vector<kinglet::Scores> score_all(const kinglet::Model& model,
                                       const kinglet::formats::HistoryFile& history,
                                       const std::filesystem::path& rows) {
  kinglet::Session session(model);
  kinglet::formats::RowReader reader({rows});
  kinglet::Row row;
  std::vector<kinglet::Scores> all;
  while (reader.next(row)) {
    if (session.score(row, history, all.emplace_back()) != kinglet::Status::ok) all.pop_back();
  }
  return all;
}

void check_threads(const std::filesystem::path& path, const kinglet::test::SmallWorld& world) {
  const kinglet::Model model = kinglet::Model::open(path);
  const kinglet::formats::HistoryFile history(world.history);
  const std::vector<kinglet::Scores> expected = score_all(model, history, world.score);
  REQUIRE(expected.size() == 100);
  std::vector<std::vector<kinglet::Scores>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] { result = score_all(model, history, world.score); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) {
    REQUIRE(result.size() == expected.size());
    for (size_t i = 0; i < expected.size(); ++i) CHECK(result[i].logits == expected[i].logits);
  }
}

}  // namespace

TEST_CASE("sessions on several threads share a model and a history without a race, and agree") {
  const kinglet::test::TempDir dir;
  const kinglet::test::SmallWorld world(dir, 400);
  kinglet::synthetic::NetworkOptions network;
  network.hidden = 32;
  check_threads(kinglet::test::write_model(dir, network, 30'522), world);
  // In 8 bits, with two layers folded and rows of frequent values.
  check_threads(kinglet::test::write_skeleton_model(dir, world, network, 30'522), world);
}
