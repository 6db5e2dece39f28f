#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "kinglet/formats/model_file.h"

/// A slow path from text to probabilities: split strings, std::map counters, one loop a sum, in the order
/// that docs/numerics.md documents. It shares no code with row reader, history or engine; it reads weights,
/// codebook and language table from the model file, whose bytes other tests hold against the checkpoint.
namespace kinglet::test {

using Fields = std::vector<std::string>;

std::vector<std::string> split(const std::string& text, char separator);
/// A file's lines as fields.
std::vector<Fields> read_rows(const std::string& path);

class HistoryOracle {
 public:
  void add_train(const Fields& row);
  void add_valid(const Fields& row) { count(row, valid_); }
  /// After the last row.
  void find_similar_authors();
  /// The 65 values of a row to be scored.
  std::vector<double> values(const Fields& row) const;

 private:
  using Counters = std::map<std::string, std::array<double, 5>>;
  static void count(const Fields& row, Counters& counters);
  static std::array<double, 5> at(const Counters& counters, const std::string& key);

  Counters train_, valid_;
  std::map<std::string, std::set<std::string>> followers_;
  std::map<std::string, std::vector<std::pair<double, std::string>>> similar_;
};

class ScoreOracle {
 public:
  explicit ScoreOracle(const formats::ModelFile& file);
  /// like, retweet, quote, reply.
  std::array<float, 4> probabilities(const Fields& row, const std::vector<double>& history) const;

 private:
  std::vector<float> first_layer(const Fields& row, const std::vector<double>& history) const;
  std::vector<float> dense(const std::string& name, const std::vector<float>& in, size_t outputs) const;
  const float* vector(const std::string& name) const { return file_.tensor(name, "oracle").f32(); }

  const formats::ModelFile& file_;
  std::map<std::string, uint32_t> languages_;
};

}  // namespace kinglet::test
