// A row scored in stages has the bits of Session::score.
#include "staged_session.h"

#include <bit>

#include "kinglet/formats/row_reader.h"
#include "kinglet/session.h"

#include "support/small_world.h"

namespace {

using namespace kinglet;

/// Scores all of the world's rows both ways; returns how many.
size_t compare(const Model& model, const test::SmallWorld& world) {
  const formats::HistoryFile history(world.history);
  Session session(model);
  StagedSession staged(model);
  formats::RowReader reader({world.score});
  size_t rows = 0;
  for (Row row; reader.next(row); ++rows) {
    Scores whole;
    REQUIRE(session.score(row, history, whole) == Status::ok);
    Scores parts;
    staged.look_up(row, history);
    staged.make_request(row);
    staged.first_layer();
    staged.hidden();
    CHECK(parts.logits == Scores().logits);
    staged.output(parts);
    for (size_t i = 0; i < kTargets; ++i) {
      CHECK(std::bit_cast<uint32_t>(parts.logits[i]) == std::bit_cast<uint32_t>(whole.logits[i]));
      CHECK(std::bit_cast<uint32_t>(parts.probabilities[i]) ==
            std::bit_cast<uint32_t>(whole.probabilities[i]));
    }
  }
  return rows;
}

}  // namespace

TEST_CASE("the stages of a score, one after the other, have its bits") {
  const test::TempDir dir;
  const test::SmallWorld world(dir, 400);
  synthetic::NetworkOptions network;
  network.hidden = 33;
  network.depth = 5;
  network.width = 64;
  CHECK(compare(Model::open(test::write_model(dir, network, 30'522)), world) == 100);
  CHECK(compare(Model::open(test::write_skeleton_model(dir, world, network, 30'522)), world) == 100);
}

TEST_CASE("the stages look up what a layout with more counters needs") {
  const test::TempDir dir;
  const test::SmallWorld world(dir, 400);
  synthetic::NetworkOptions network = test::tiny_network();
  network.numeric = kRowNumerics + kShownNumerics;
  converter::ConvertOptions options = test::write_model_sources(dir, network, 30'522).options();
  options.features.shown = true;
  converter::convert(options, dir / "shown.kinglet");
  CHECK(compare(Model::open(dir / "shown.kinglet"), world) == 100);
}
