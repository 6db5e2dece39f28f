#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace kinglet::test {

/// The history of spec sections 2 to 4, counted the slow way: std::map over strings cut out of the text.
/// Shares no code with the row reader, the history file or the history values.
class HistoryOracle {
 public:
  using Fields = std::vector<std::string>;

  /// `train` and `valid` are the rows' text, a line a row.
  HistoryOracle(const std::string& train, const std::string& valid, uint64_t holdout_every);

  /// The lines of `kinglet features` of one split ("train", "valid", "holdout"), in row order.
  std::string feature_lines(const std::string& split) const;

  struct Similar {
    std::string author;
    double similarity;
  };
  /// Compares all pairs. By similarity descending, then by id; the author itself left out.
  std::vector<Similar> similar(const std::string& author) const;
  std::set<std::string> authors_with_followers() const;

  /// Distinct keys with any counter, in the train history (0) and the valid one (1).
  std::array<uint64_t, 2> keys() const;
  /// A counter by its key's text, see key(); counter 4 is "none".
  uint64_t count(int history, const std::string& key, int counter) const;
  static std::string key(const std::string& kind, const std::string& first, const std::string& second = "");

 private:
  using Counters = std::map<std::string, std::array<uint64_t, 5>>;
  struct PlacedRow {
    Fields fields;
    std::string split;
    std::string part;
  };

  void add(int history, const PlacedRow& row);
  std::vector<double> values(const PlacedRow& row) const;
  double seen(int history, const std::string& key, int counter, const PlacedRow& row) const;

  std::vector<PlacedRow> rows_;
  std::array<Counters, 2> all_;
  std::array<std::map<std::string, Counters>, 2> by_part_;
  std::map<std::string, std::set<std::string>> followers_;
};

}  // namespace kinglet::test
