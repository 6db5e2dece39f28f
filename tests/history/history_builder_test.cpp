// Histories built from small random worlds, compared with an oracle that counts over strings.

#include <algorithm>
#include <stdexcept>

#include "kinglet/formats/error.h"
#include "kinglet/history/builder.h"
#include "kinglet/history/features.h"

#include "history/oracle.h"
#include "history/world.h"
#include "support/support.h"

using namespace kinglet::test;
using kinglet::Row;
using kinglet::formats::CounterKind;
using kinglet::formats::HistoryFile;
using kinglet::formats::HistoryPart;
using kinglet::formats::HistoryTable;
using kinglet::formats::id_fingerprint;
using kinglet::formats::key_fingerprint;
using kinglet::history::BuildOptions;
using kinglet::history::BuildReport;
using kinglet::history::FeatureOptions;
using kinglet::history::HistoryBuilder;
using kinglet::history::Split;

namespace {

/// Rows of a random world in files.
class World {
 public:
  explicit World(uint64_t seed, const WorldShape& shape = {}, uint64_t train_rows = 150,
                 uint64_t valid_rows = 90) {
    Random random(seed);
    train_text = random_rows(random, shape, train_rows);
    valid_text = random_rows(random, shape, valid_rows);
    write_file(folder / "train", train_text);
    write_file(folder / "valid", valid_text);
  }

  BuildReport build(const std::string& name, const BuildOptions& options = {}) const {
    return kinglet::history::build_history({folder / "train"}, {folder / "valid"}, folder / name, options);
  }

  std::string features(Split split, uint64_t holdout_every = 10) const {
    FeatureOptions options;
    options.train = {folder / "train"};
    options.valid = {folder / "valid"};
    options.holdout_every = holdout_every;
    options.split = split;
    kinglet::history::write_history_features(options, folder / "features.tsv");
    return read_file(folder / "features.tsv");
  }

  ptrdiff_t files() const { return std::distance(std::filesystem::directory_iterator(folder.path()), {}); }

  TempDir folder;
  std::string train_text;
  std::string valid_text;
};

BuildOptions with_memory(uint64_t bytes) {
  BuildOptions options;
  options.memory_bytes = bytes;
  return options;
}

/// A row like any other; the caller changes what matters.
struct PlainRow {
  std::vector<std::string_view> hashtags;
  Row row;

  Row get(std::string_view author, std::string_view reader) {
    row.author_id = author;
    row.reader_id = reader;
    row.hashtags = hashtags;
    row.tweet_id = "t";
    row.language = "l";
    row.tweet_timestamp = 1'612'396'800;
    row.has_labels = true;
    return row;
  }
};

}  // namespace

TEST_CASE("the values of every row of random worlds equal the oracle's") {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    CAPTURE(seed);
    WorldShape shape;
    shape.users = 3 + seed;
    shape.days = 1 + seed % 5;
    const World world(seed, shape);
    const uint64_t holdout_every = std::array<uint64_t, 4>{10, 0, 3, 1}[seed % 4];
    const HistoryOracle oracle(world.train_text, world.valid_text, holdout_every);
    CHECK(world.features(Split::train, holdout_every) == oracle.feature_lines("train"));
    CHECK(world.features(Split::valid, holdout_every) == oracle.feature_lines("valid"));
    CHECK(world.features(Split::holdout, holdout_every) == oracle.feature_lines("holdout"));
    CHECK(world.files() == 3);
  }
}

TEST_CASE("every counter of both histories is in the file, those no value uses too") {
  const World world(99);
  world.build("history");
  const HistoryFile history(world.folder / "history", HistoryFile::Verify::full);
  const HistoryOracle oracle(world.train_text, world.valid_text, 10);
  CHECK(history.keys(HistoryTable::train) == oracle.keys()[0]);
  CHECK(history.keys(HistoryTable::valid) == oracle.keys()[1]);
  for (int part = 0; part < 2; ++part) {
    for (int i = 0; i < 20; ++i) {
      const std::string id = "t" + std::to_string(i);
      const auto counts = history.find(static_cast<HistoryPart>(part),
                                       key_fingerprint(CounterKind::tweet, id_fingerprint(id)));
      for (int r = 0; r < 4; ++r) {
        CHECK(counts.reacted[static_cast<size_t>(r)] ==
              oracle.count(part, HistoryOracle::key("tweet", id), r));
      }
      CHECK(counts.none == oracle.count(part, HistoryOracle::key("tweet", id), 4));
    }
  }
}

TEST_CASE("similar authors equal the oracle's, which compares all pairs") {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    CAPTURE(seed);
    WorldShape shape;
    shape.users = 8 + 12 * seed;
    const World world(1'000 + seed, shape, 100 + 150 * seed, 10);
    world.build("history");
    const HistoryFile history(world.folder / "history");
    const HistoryOracle oracle(world.train_text, world.valid_text, 10);
    uint64_t with_similar = 0;
    for (const std::string& author : oracle.authors_with_followers()) {
      const auto expected = oracle.similar(author);
      const auto found = history.similar_authors(id_fingerprint(author));
      REQUIRE(found.size() == expected.size());
      for (size_t i = 0; i < found.size(); ++i) {
        CHECK(found[i].author == id_fingerprint(expected[i].author));
        CHECK(found[i].similarity == expected[i].similarity);
      }
      with_similar += expected.empty() ? 0 : 1;
    }
    CHECK(history.keys(HistoryTable::similar) == with_similar);
  }
}

TEST_CASE("of more than nine equally similar authors the lowest ids are kept") {
  const TempDir folder;
  HistoryBuilder builder(folder / "history", {});
  PlainRow plain;
  plain.row.engagee_follows_engager = true;
  for (const char* author : {"n", "a", "m", "b", "l", "c", "k", "d", "j", "e", "i", "f", "h", "g"}) {
    builder.add_train(plain.get(author, "reader"));
  }
  builder.finish();
  const HistoryFile history(folder / "history");
  const auto similar = [&](std::string_view author) {
    std::string ids;
    for (const auto& entry : history.similar_authors(id_fingerprint(author))) {
      for (char id = 'a'; id <= 'n'; ++id) {
        if (entry.author == id_fingerprint({&id, 1})) ids += id;
      }
    }
    return ids;
  };
  CHECK(similar("a") == "bcdefghij");
  CHECK(similar("n") == "abcdefghi");
  CHECK(similar("e") == "abcdfghij");
}

TEST_CASE("similarity of exactly one tenth counts, and the least below it does not") {
  const TempDir folder;
  HistoryBuilder builder(folder / "history", {});
  PlainRow plain;
  plain.row.engagee_follows_engager = true;
  std::vector<std::string> readers;
  for (int i = 0; i < 11; ++i) readers.push_back("r" + std::to_string(i));
  for (int i = 0; i < 10; ++i) builder.add_train(plain.get("ten", readers[static_cast<size_t>(i)]));
  for (const std::string& reader : readers) builder.add_train(plain.get("eleven", reader));
  builder.add_train(plain.get("one", readers[0]));
  builder.finish();
  const HistoryFile history(folder / "history");
  const auto similar = history.similar_authors(id_fingerprint("one"));
  REQUIRE(similar.size() == 1);
  CHECK(similar[0].author == id_fingerprint("ten"));
  CHECK(similar[0].similarity == 0.1);
}

TEST_CASE("a hashtag that a row lists twice counts once, and is added twice to the row's sum") {
  const TempDir folder;
  HistoryBuilder builder(folder / "history", {});
  PlainRow plain;
  plain.hashtags = {"h", "g", "h"};
  plain.row.reaction_timestamps[0] = 1'612'396'800;
  builder.add_train(plain.get("a", "r"));
  builder.finish();
  const HistoryFile history(folder / "history");
  const auto key = key_fingerprint(CounterKind::hashtag, id_fingerprint("h"), id_fingerprint("r"));
  CHECK(history.find(HistoryPart::train, key).reacted[0] == 1);
}

TEST_CASE("counts beyond twelve bits are exact") {
  const TempDir folder;
  HistoryBuilder builder(folder / "history", with_memory(1 << 20));
  PlainRow plain;
  plain.row.reaction_timestamps = {1, 0, 1, 0};
  constexpr uint64_t kRows = 50'001;
  for (uint64_t i = 0; i < kRows; ++i) {
    plain.row.reaction_timestamps[1] = i < 4'095 ? 1 : 0;
    plain.row.reaction_timestamps[3] = i < 4'096 ? 1 : 0;
    builder.add_train(plain.get("a", "r"));
  }
  plain.row.reaction_timestamps = {};
  for (uint64_t i = 0; i < 7'000; ++i) builder.add_train(plain.get("a", "r"));
  builder.finish();
  const HistoryFile history(folder / "history", HistoryFile::Verify::full);
  const auto author =
      history.find(HistoryPart::train, key_fingerprint(CounterKind::author, id_fingerprint("a")));
  CHECK(author.reacted == std::array<uint64_t, 4>{kRows, 4'095, kRows, 4'096});
  CHECK(author.none == 7'000);
}

TEST_CASE("the same rows give the same bytes, whatever the memory, the files and the way they came") {
  WorldShape shape;
  shape.users = 5'000;
  shape.tweets = 3'000;
  shape.hashtags = 500;
  const World world(7, shape, 40'000, 8'000);
  const BuildReport small = world.build("small", with_memory(4 << 20));
  const BuildReport large = world.build("large", with_memory(1 << 28));
  CHECK(small.spilled_bytes > large.spilled_bytes);
  CHECK(read_file(world.folder / "small") == read_file(world.folder / "large"));
  HistoryFile(world.folder / "small", HistoryFile::Verify::full);

  const size_t middle = world.train_text.find('\n', world.train_text.size() / 2) + 1;
  std::filesystem::create_directory(world.folder / "parts");
  write_file(world.folder / "parts/part-00000", world.train_text.substr(0, middle));
  write_file(world.folder / "parts/part-00001", world.train_text.substr(middle));
  kinglet::history::build_history({world.folder / "parts"}, {world.folder / "valid"}, world.folder / "parted",
                                  {});
  CHECK(read_file(world.folder / "parted") == read_file(world.folder / "large"));
}

TEST_CASE("what the file says of its rows") {
  const World world(8);
  world.build("history");
  const HistoryFile history(world.folder / "history");
  CHECK(history.info().holdout_every == 10);
  CHECK(history.info().train_rows == 150);
  CHECK(history.info().valid_rows == 81);
  CHECK(history.info().held_out_rows == 9);
  const World other(9);
  other.build("history");
  const HistoryFile other_history(other.folder / "history");
  CHECK(history.info().train_fingerprint != other_history.info().train_fingerprint);
  CHECK(history.info().valid_fingerprint != other_history.info().valid_fingerprint);
}

TEST_CASE("a history without validation rows") {
  const World world(10);
  kinglet::history::build_history({world.folder / "train"}, {}, world.folder / "history", {});
  const HistoryFile history(world.folder / "history", HistoryFile::Verify::full);
  CHECK(history.keys(HistoryTable::valid) == 0);
  CHECK(history.keys(HistoryTable::train) > 0);
  FeatureOptions options;
  options.train = {world.folder / "train"};
  kinglet::history::write_history_features(options, world.folder / "features");
  CHECK(read_file(world.folder / "features") ==
        HistoryOracle(world.train_text, "", 10).feature_lines("train"));
  options.split = Split::holdout;
  CHECK(error_of([&] {
          kinglet::history::write_history_features(options, world.folder / "features");
        }).find("need validation rows") != std::string::npos);
}

TEST_CASE("a history of no rows at all is a file that opens") {
  const TempDir folder;
  HistoryBuilder(folder / "history", {}).finish();
  const HistoryFile history(folder / "history", HistoryFile::Verify::full);
  CHECK(history.find(HistoryPart::train, key_fingerprint(CounterKind::author, id_fingerprint("a"))).none ==
        0);
  CHECK(history.similar_authors(id_fingerprint("a")).empty());
}

TEST_CASE("rows that cannot be used are refused by file and line, and nothing is left behind") {
  const World world(11);
  const auto error = [&](const std::string& text) {
    write_file(world.folder / "bad", text);
    const std::string message = error_of([&] {
      kinglet::history::build_history({world.folder / "train"}, {world.folder / "bad"},
                                      world.folder / "history", {});
    });
    std::filesystem::remove(world.folder / "bad");
    CHECK(world.files() == 2);
    return message;
  };
  const std::string line = world.train_text.substr(0, world.train_text.find('\n') + 1);
  CHECK(error(line + "nonsense\n").find("bad: line 2") != std::string::npos);
  CHECK(error("").find("bad") != std::string::npos);
  size_t fields_end = 0;
  for (int field = 0; field < 20; ++field) fields_end = line.find('\x01', fields_end + 1);
  CHECK(error(line.substr(0, fields_end) + "\n").find("bad: line 1") != std::string::npos);
  CHECK(error_of([&] {
          kinglet::history::build_history({world.folder / "absent"}, {}, world.folder / "history", {});
        }).find("absent") != std::string::npos);
  CHECK(error_of([&] {
          kinglet::history::build_history({world.folder / "train"}, {}, world.folder / "no/such/history", {});
        }).find("no/such") != std::string::npos);
  CHECK(world.files() == 2);
}

TEST_CASE("a full disk fails the build wherever it fills up, and nothing is left behind") {
  WorldShape shape;
  shape.users = 2'000;
  const World world(12, shape, 6'000, 2'000);
  const uint64_t whole = world.build("history", with_memory(1 << 20)).file_bytes;
  const std::string before = read_file(world.folder / "history");
  uint64_t failures = 0;
  for (uint64_t limit = 0; limit < whole; limit += whole / 23) {
    CAPTURE(limit);
    const FileSizeLimit full(limit);
    CHECK(error_of([&] { world.build("history", with_memory(1 << 20)); }).find("cannot write") !=
          std::string::npos);
    CHECK(error_of([&] { world.features(Split::train); }).find("cannot write") != std::string::npos);
    CHECK(world.files() == 3);
    ++failures;
  }
  CHECK(failures >= 23);
  CHECK(read_file(world.folder / "history") == before);
}

TEST_CASE("an interruption at any report stops the build, and nothing is left behind") {
  WorldShape shape;
  shape.users = 2'000;
  const World world(13, shape, 9'000, 5'000);
  uint64_t reports = 0;
  BuildOptions options = with_memory(1 << 20);
  options.progress = [&](std::string_view, uint64_t, uint64_t, std::string_view) { ++reports; };
  world.build("history", options);
  std::filesystem::remove(world.folder / "history");
  REQUIRE(reports > 5);
  for (uint64_t stop = 0; stop < reports; ++stop) {
    uint64_t report = 0;
    options.progress = [&](std::string_view, uint64_t, uint64_t, std::string_view) {
      if (report++ == stop) throw kinglet::Interrupted();
    };
    CHECK_THROWS_AS(world.build("history", options), kinglet::Interrupted);
    CHECK(world.files() == 2);
  }
}

TEST_CASE("too little memory is said, and how much is needed") {
  const TempDir folder;
  CHECK(error_of([&] { HistoryBuilder(folder / "history", with_memory(1'000)); }).find("at least 1M") !=
        std::string::npos);
  HistoryBuilder builder(folder / "history", with_memory(1 << 20));
  PlainRow plain;
  plain.row.engagee_follows_engager = true;
  const std::string message = error_of([&] {
    for (int i = 0; i < 100'000; ++i) builder.add_train(plain.get("author " + std::to_string(i), "r"));
  });
  CHECK(message.find("history: similar authors: needs more memory") != std::string::npos);
}

TEST_CASE("training rows after validation rows are a programmer's error") {
  const TempDir folder;
  HistoryBuilder builder(folder / "history", {});
  PlainRow plain;
  builder.add_valid(plain.get("a", "r"));
  CHECK_THROWS_AS(builder.add_train(plain.get("a", "r")), std::logic_error);
}

TEST_CASE("where a validation row goes") {
  using kinglet::history::valid_place;
  for (const uint64_t every : {0, 1, 2, 3, 10, 1'000}) {
    uint64_t number = 0;
    for (uint64_t index = 0; index < 3'000; ++index) {
      const auto place = valid_place(index, every);
      const bool held_out = every != 0 && index % every == 0;
      CHECK(place.held_out == held_out);
      if (!held_out) CHECK(place.chunk == static_cast<int64_t>(number++ % 10));
    }
  }
}
