#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "synthetic/random.h"

namespace kinglet::synthetic {

/// How large the invented world is. The same options give the same rows everywhere.
struct WorldOptions {
  uint64_t seed = 1;
  size_t authors = 3'000;
  size_t readers = 6'000;
  size_t languages = 66;  // those of the language table; about one author in a hundred writes in another one
  size_t hashtags = 1'000;
  size_t topics = 24;
  uint32_t vocabulary = 30'522;  // token ids are below it
};

/// An invented Twitter: authors and readers with power-law activity, a language and topics each, tweets about
/// the authors' topics, and reactions that depend on reader and topic around the base rates like 0.40,
/// retweet 0.09, reply 0.03, quote 0.007. Rows have the format of docs/formats/rows.md; ids are hashes of
/// nothing real. Not thread-safe.
class SyntheticWorld {
 public:
  explicit SyntheticWorld(const WorldOptions& options = {});

  enum class Labels : bool { no, yes };
  /// Appends one row and its newline: a tweet shown to a reader at `shown_at` (Unix seconds; pass them in
  /// ascending order). Labels::no leaves the four label fields out, as in rows to be scored.
  void append_row(int64_t shown_at, Labels labels, std::string& text);

  /// The hashed names of the languages in the language table, by embedding row.
  std::vector<std::string> language_names() const;

 private:
  struct Account {
    uint32_t followers, following;
    int64_t created;
    uint16_t language;
    uint16_t topic;
    uint16_t second_topic;
    bool verified;
    float activity;  // multiplies the chance of a reaction; mean 1
  };
  struct Tweet {
    uint64_t number;
    uint32_t author;
    int64_t written;
    std::string head;  // fields 0 to 8, with their separators
    float appeal;      // multiplies the chance of a reaction; mean 1
  };

  Account make_account(uint64_t kind, size_t number, double popularity) const;
  Tweet write_tweet(int64_t now);
  void append_tokens(const Account& author, std::string& text);
  void append_hashtags(const Account& author, std::string& text);
  size_t pick_reader(const Account& author);
  bool follows(uint32_t author, size_t reader) const noexcept;
  void append_labels(double affinity, int64_t shown_at, std::string& text);

  WorldOptions options_;
  Random random_;
  std::vector<Account> authors_, readers_;
  /// Readers by (language, topic), most active first: who is likely to see a tweet.
  std::vector<std::vector<uint32_t>> audiences_;
  PowerLaw by_author_, by_reader_, by_language_, by_hashtag_, by_token_;
  std::vector<Tweet> recent_;  // tweets still being shown, a ring
  uint64_t tweets_ = 0;
};

/// Writes `rows` rows, evenly spread over [from, until) Unix seconds, as FOLDER/part-00000, part-00001, ...
void write_rows(SyntheticWorld& world, const std::filesystem::path& folder, size_t parts, uint64_t rows,
                int64_t from, int64_t until, SyntheticWorld::Labels labels);

/// The network's sizes (spec section 6); the defaults are the published ones, 25,857,944 parameters.
struct NetworkOptions {
  uint64_t seed = 1;
  size_t hidden = 1'500;
  size_t depth = 20;
  size_t width = 256;
  size_t numeric = 73;  // each Fourier-encoded to 16 inputs
  size_t flags = 12;
  size_t languages = 66;

  size_t inputs() const noexcept { return depth * width + numeric * 16 + flags + 3 * 20; }
};

/// Writes an untrained checkpoint as safetensors: PyTorch's initial ranges, batch normalisation set to the
/// statistics that such weights give, and output biases at the base rates, so that probabilities are
/// plausible. Returns its number of parameters (running statistics are none).
uint64_t write_checkpoint(const NetworkOptions& options, const std::filesystem::path& path);

/// Writes {"TOKEN": [absolute code per depth], ...} for 98 of 100 token ids below `vocabulary`.
void write_codebook(const NetworkOptions& options, uint32_t vocabulary, const std::filesystem::path& path);

/// Writes {"NAME": row, ...}.
void write_languages(const std::vector<std::string>& names, const std::filesystem::path& path);

}  // namespace kinglet::synthetic
