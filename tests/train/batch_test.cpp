#include <cmath>
#include <vector>

#include "kinglet/converter/vocabulary.h"
#include "kinglet/features/row_features.h"
#include "kinglet/formats/history_writer.h"
#include "kinglet/formats/row_reader.h"

#include "batch_maker.h"
#include "row_encoder.h"
#include "support/npz.h"
#include "support/support.h"

using namespace kinglet;
using namespace kinglet::train;

namespace {

/// The golden file's rows with its history values in the place of the encoder's.
RowCache golden_cache(const std::filesystem::path& golden, const test::NpzFile& io,
                      const TokenTable& codebook, const test::TempDir& folder) {
  formats::HistoryWriter writer(folder / "empty.kinglet");
  const std::vector<uint64_t> no_keys(size_t{1} << formats::history_segment_bits(0));
  writer.begin_counters(formats::HistoryPart::train, no_keys);
  writer.begin_counters(formats::HistoryPart::valid, no_keys);
  writer.begin_similar();
  writer.commit({});
  const formats::HistoryFile empty(folder / "empty.kinglet");
  Languages languages;
  for (const auto& [name, row] : converter::read_languages(golden / "language2id.json")) languages.add(name);
  RowEncoder encoder(codebook, languages);
  RowCache cache(folder.path());
  const std::vector<double> history = io.f64("history");
  formats::RowReader reader({golden / "net_rows.part"});
  for (Row row; reader.next(row);) {
    CachedRow cached = encoder.encode(row, {.history = &empty});
    std::vector<double> numerics;
    std::array<double, kRowNumerics> all{};
    std::copy_n(history.begin() + static_cast<ptrdiff_t>(reader.row_index() * 65), 65, all.begin());
    features::fill_counts_and_ages(row, all.data());
    cached.numeric_mask = {};
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i] == 0) continue;
      cached.numeric_mask[i / 64] |= uint64_t{1} << (i % 64);
      numerics.push_back(all[i]);
    }
    cached.numerics = numerics;
    cache.add(cached, 0);
  }
  cache.finish();
  return cache;
}

}  // namespace

TEST_CASE("batches hold the inputs that the published program made of the same rows") {
  REQUIRE_SHARED(shared);
  const std::filesystem::path golden = shared / "golden";
  const test::NpzFile io(golden / "net_io.npz");
  const test::TempDir folder;
  const TokenTable codebook(golden / "subwords_bert.json", 20, 256);
  const RowCache cache = golden_cache(golden, io, codebook, folder);
  const std::vector<double> input = io.f64("input");
  REQUIRE(input.size() == cache.rows() * 6300);
  BatchMaker maker(codebook, {}, {});
  Batch batch({.hidden = 1, .sketch = 5120, .plain = maker.plain().size(), .languages = 1});
  std::vector<uint32_t> rows;
  for (uint32_t i = 0; i < cache.rows(); ++i) rows.push_back(static_cast<uint32_t>(cache.rows()) - 1 - i);
  maker.fill(cache, rows, {}, batch);
  const std::vector<int64_t> language = io.i64("language");
  const std::vector<int64_t> hour = io.i64("hour");
  const std::vector<int64_t> day = io.i64("day");
  const std::vector<double> labels = io.f64("labels");
  double largest = 0;
  for (size_t b = 0; b < rows.size(); ++b) {
    std::vector<double> made(6300);
    for (size_t i = batch.sketch.row_start[b]; i < batch.sketch.row_start[b + 1]; ++i) {
      made[batch.sketch.inputs[i]] = static_cast<double>(batch.sketch.values[i]);
    }
    for (size_t i = 0; i < 1180; ++i) made[5120 + i] = static_cast<double>(batch.plain(b)[i]);
    for (size_t i = 0; i < made.size(); ++i) {
      largest = std::max(largest, std::abs(made[i] - input[rows[b] * 6300 + i]));
    }
    CHECK(batch.categories[b][0] == static_cast<uint32_t>(language[rows[b]]));
    CHECK(batch.categories[b][1] == static_cast<uint32_t>(hour[rows[b]]));
    CHECK(batch.categories[b][2] == static_cast<uint32_t>(day[rows[b]]));
    for (size_t t = 0; t < 4; ++t) CHECK(static_cast<double>(batch.labels[b][t]) == labels[rows[b] * 4 + t]);
  }
  CHECK(largest < 1e-7);
}

TEST_CASE("dropout takes its share of the inputs, scales the others, and is the same for the same stream") {
  const test::TempDir folder;
  test::write_file(folder / "codebook.json", R"({"7": [3]})");
  const TokenTable codebook(folder / "codebook.json", 1, 16);
  const std::vector<uint32_t> tokens{7};
  CachedRow row;
  row.tokens = tokens;
  row.flags = 0xFFF;
  RowCache cache(folder.path());
  cache.add(row, 0);
  cache.finish();
  BatchMaker maker(codebook, {}, {});
  Batch plain({.hidden = 1, .sketch = 16, .plain = maker.plain().size(), .languages = 1});
  Batch dropped = plain;
  Batch again = plain;
  const std::vector<uint32_t> rows(200, 0);
  maker.fill(cache, rows, {}, plain);
  maker.fill(cache, rows, {.share = 0.25, .seed = 1, .stream = 5}, dropped);
  maker.fill(cache, rows, {.share = 0.25, .seed = 1, .stream = 5}, again);
  size_t inputs = 0;
  size_t lost = 0;
  const auto compare = [&](float kept, float found) {
    if (kept == 0) return;
    ++inputs;
    if (found == 0) {
      ++lost;
    } else {
      CHECK(std::abs(found - kept / 0.75F) < 1e-6F);
    }
  };
  for (size_t b = 0; b < rows.size(); ++b) {
    for (size_t i = 0; i < maker.plain().size(); ++i) compare(plain.plain(b)[i], dropped.plain(b)[i]);
    compare(plain.sketch.values[b], dropped.sketch.values[b]);
  }
  const double share = static_cast<double>(lost) / static_cast<double>(inputs);
  CHECK(std::abs(share - 0.25) < 0.01);
  CHECK(again.sketch.values == dropped.sketch.values);
  for (size_t b = 0; b < rows.size(); ++b) {
    CHECK(std::equal(again.plain(b), again.plain(b) + maker.plain().size(), dropped.plain(b)));
  }
}

TEST_CASE("cached rows come back as they were, and every part of them enters the fingerprint") {
  const test::TempDir folder;
  const std::vector<uint32_t> tokens{5, 7, 11};
  const std::vector<double> numerics{1.5, -2};
  CachedRow row;
  row.categories = {65'535, 23, 30};
  row.flags = 0x805;
  row.labels = 9;
  row.tokens = tokens;
  row.numeric_mask = {1, uint64_t{1} << 8};
  row.numerics = numerics;
  const auto cached = [&](const CachedRow& value, int64_t part) {
    RowCache cache(folder.path());
    cache.add({}, 0);
    cache.add(value, part);
    cache.finish();
    return cache;
  };
  const RowCache cache = cached(row, 18'000);
  const CachedRow back = cache.row(1);
  CHECK(back.categories == row.categories);
  CHECK(back.flags == row.flags);
  CHECK(back.labels == row.labels);
  CHECK(back.numeric_mask == row.numeric_mask);
  CHECK(std::vector<uint32_t>(back.tokens.begin(), back.tokens.end()) == tokens);
  CHECK(std::vector<double>(back.numerics.begin(), back.numerics.end()) == numerics);
  CHECK(cache.part(1) == 18'000);
  CHECK(cache.positives() == std::array<uint64_t, 4>{1, 0, 0, 1});
  CHECK(cache.row(0).tokens.empty());

  CHECK(cached(row, 18'000).fingerprint() == cache.fingerprint());
  CHECK(cached(row, 18'001).fingerprint() != cache.fingerprint());
  CachedRow other = row;
  other.labels = 8;
  CHECK(cached(other, 18'000).fingerprint() != cache.fingerprint());
  other = row;
  other.categories[0] = 1;
  CHECK(cached(other, 18'000).fingerprint() != cache.fingerprint());
  other = row;
  other.tokens = other.tokens.first(2);
  CHECK(cached(other, 18'000).fingerprint() != cache.fingerprint());
}
