// A trained network loaded into PyTorch: what is written as a state dict is one, and the engine's logits are
// those that PyTorch computes from it.

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "kinglet/converter/vocabulary.h"
#include "kinglet/kinglet.h"
#include "kinglet/train/train.h"

#include "languages.h"
#include "row_cache.h"
#include "row_encoder.h"
#include "support/process.h"
#include "support/support.h"
#include "token_table.h"
#include "train/training_rows.h"

namespace {

using namespace kinglet;
using test::run_process;
using test::TempDir;

// Debian's python3-torch belongs to Debian's python3, whatever `python3` is.
const char* const kPython = "/usr/bin/python3";

constexpr size_t kRequests = 300;

/// A row of the world as the engine takes it, with the history that the model was trained for.
struct StoredRequest {
  std::vector<uint32_t> tokens;
  std::vector<double> numerics;
  uint64_t flags = 0;
  std::array<uint32_t, 3> categories{};
};

StoredRequest stored(const Row& row, const train::CachedRow& encoded) {
  StoredRequest request{{row.tokens.begin(), row.tokens.end()},
                        std::vector<double>(kRowNumerics),
                        encoded.flags,
                        encoded.categories};
  size_t next = 0;
  for (size_t i = 0; i < kRowNumerics; ++i) {
    if (encoded.numeric_mask[i / 64] >> (i % 64) & 1) request.numerics[i] = encoded.numerics[next++];
  }
  return request;
}

std::vector<StoredRequest> read_requests(const std::filesystem::path& rows,
                                         const train::TrainOptions& options) {
  const formats::HistoryFile history(options.output / "history.kinglet");
  train::Languages languages;
  for (const auto& [name, row] : converter::read_languages(options.output / "languages.json"))
    languages.add(name);
  const train::TokenTable codebook(options.codebook, 4, 16);
  train::RowEncoder encoder(codebook, languages);
  std::vector<StoredRequest> requests;
  formats::RowReader reader({rows});
  for (Row row; requests.size() < kRequests && reader.next(row);)
    requests.push_back(stored(row, encoder.encode(row, {.history = &history})));
  return requests;
}

nlohmann::json to_json(const std::vector<StoredRequest>& requests) {
  nlohmann::json json = nlohmann::json::array();
  for (const StoredRequest& request : requests) {
    json.push_back({{"tokens", request.tokens},
                    {"numerics", request.numerics},
                    {"flags", request.flags},
                    {"categories", request.categories}});
  }
  return json;
}

}  // namespace

TEST_CASE("PyTorch computes the engine's logits from the trained weights") {
  if (run_process({kPython, "-c", "import torch"}).exit_code != 0) {
    test::report_skipped("python3-torch is not installed");
    return;
  }
  const TempDir folder;
  test::write_training_data(folder.path());
  const train::TrainOptions options = test::small_training(folder.path(), "out");
  train::train(options);
  const std::vector<StoredRequest> requests = read_requests(folder / "world/valid", options);
  test::write_file(folder / "requests.json", to_json(requests).dump());

  const auto python =
      run_process({kPython, KINGLET_SOURCE_DIR "/tests/train/pytorch_logits.py",
                   options.output / "weights.safetensors", options.codebook, folder / "requests.json"});
  INFO(python.err);
  REQUIRE(python.exit_code == 0);

  std::istringstream lines(python.out);
  Session session(Model::open(options.output / "model.kinglet"));
  double largest = 0;
  for (const StoredRequest& request : requests) {
    Scores scores;
    REQUIRE(session.score({request.tokens, request.numerics, request.flags, request.categories}, scores) ==
            Status::ok);
    for (const float logit : scores.logits) {
      double expected = NAN;
      lines >> expected;
      largest = std::max(largest, std::abs(static_cast<double>(logit) - expected));
    }
  }
  CHECK(lines);
  CHECK(requests.size() == kRequests);
  CHECK(largest <= 1e-5);
}
