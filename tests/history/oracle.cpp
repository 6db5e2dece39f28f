#include "history/oracle.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace kinglet::test {
namespace {

// Field numbers of spec section 1.
constexpr size_t kHashtags = 1;
constexpr size_t kTweet = 2;
constexpr size_t kLanguage = 7;
constexpr size_t kTweetTime = 8;
constexpr size_t kAuthor = 9;
constexpr size_t kReader = 14;
constexpr size_t kFollows = 19;
constexpr std::array<size_t, 4> kLabels{23, 20, 21, 22};  // like, reply, retweet, quote

std::vector<std::string> cut(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::string part;
  for (const char c : text) {
    if (c == separator) {
      parts.push_back(part);
      part.clear();
    } else {
      part += c;
    }
  }
  parts.push_back(part);
  return parts;
}

std::vector<std::string> hashtags_of(const HistoryOracle::Fields& row) {
  return row[kHashtags].empty() ? std::vector<std::string>{} : cut(row[kHashtags], '\t');
}

std::string day_text(const HistoryOracle::Fields& row) {
  std::time_t latest = 0;
  for (const size_t label : kLabels) {
    if (!row[label].empty()) latest = std::max<std::time_t>(latest, std::stoll(row[label]));
  }
  if (latest == 0) latest = std::stoll(row[kTweetTime]);
  std::tm parts{};
  gmtime_r(&latest, &parts);
  char text[16];
  std::strftime(text, sizeof text, "%d-%m-%y", &parts);
  return text;
}

}  // namespace

std::string HistoryOracle::key(const std::string& kind, const std::string& first, const std::string& second) {
  return kind + '\n' + first + '\n' + second;
}

HistoryOracle::HistoryOracle(const std::string& train, const std::string& valid, uint64_t holdout_every) {
  std::vector<std::string> lines = cut(train, '\n');
  lines.pop_back();  // after the last line's end
  for (const std::string& line : lines) {
    const Fields fields = cut(line, '\x01');
    rows_.push_back({fields, "train", day_text(fields)});
    add(0, rows_.back());
    if (fields[kFollows] == "true") followers_[fields[kAuthor]].insert(fields[kReader]);
  }
  lines = cut(valid, '\n');
  lines.pop_back();
  uint64_t number = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    const bool held_out = holdout_every != 0 && i % holdout_every == 0;
    rows_.push_back({cut(lines[i], '\x01'), held_out ? "holdout" : "valid",
                     held_out ? "-" : std::to_string(number++ % 10)});
    if (!held_out) add(1, rows_.back());
  }
}

void HistoryOracle::add(int history, const PlacedRow& row) {
  const Fields& fields = row.fields;
  std::vector<int> counters;
  for (int r = 0; r < 4; ++r) {
    if (!fields[kLabels[static_cast<size_t>(r)]].empty()) counters.push_back(r);
  }
  const bool none = counters.empty();
  if (none) counters.push_back(4);
  std::set<std::string> keys{key("pair", fields[kAuthor], fields[kReader]), key("author", fields[kAuthor]),
                             key("reader", fields[kReader]), key("tweet", fields[kTweet])};
  if (!none) {
    keys.insert(key("language", fields[kLanguage], fields[kReader]));
    for (const std::string& hashtag : hashtags_of(fields))
      keys.insert(key("hashtag", hashtag, fields[kReader]));
  }
  for (const std::string& k : keys) {
    for (const int counter : counters) {
      ++all_[static_cast<size_t>(history)][k][static_cast<size_t>(counter)];
      ++by_part_[static_cast<size_t>(history)][row.part][k][static_cast<size_t>(counter)];
    }
  }
}

uint64_t HistoryOracle::count(int history, const std::string& key, int counter) const {
  const Counters& counters = all_[static_cast<size_t>(history)];
  const auto found = counters.find(key);
  return found == counters.end() ? 0 : found->second[static_cast<size_t>(counter)];
}

double HistoryOracle::seen(int history, const std::string& key, int counter, const PlacedRow& row) const {
  uint64_t own = 0;
  if (row.split == (history == 0 ? "train" : "valid")) {
    const Counters& part = by_part_[static_cast<size_t>(history)].at(row.part);
    const auto found = part.find(key);
    if (found != part.end()) own = found->second[static_cast<size_t>(counter)];
  }
  return static_cast<double>(count(history, key, counter) - own);
}

std::set<std::string> HistoryOracle::authors_with_followers() const {
  std::set<std::string> authors;
  for (const auto& [author, readers] : followers_) authors.insert(author);
  return authors;
}

std::vector<HistoryOracle::Similar> HistoryOracle::similar(const std::string& author) const {
  std::vector<Similar> similar;
  const auto mine = followers_.find(author);
  if (mine == followers_.end()) return similar;
  for (const auto& [other, theirs] : followers_) {
    if (other == author) continue;
    std::vector<std::string> shared;
    std::set_intersection(mine->second.begin(), mine->second.end(), theirs.begin(), theirs.end(),
                          std::back_inserter(shared));
    const size_t united = mine->second.size() + theirs.size() - shared.size();
    const double similarity = static_cast<double>(shared.size()) / static_cast<double>(united);
    if (similarity >= 0.1) similar.push_back({other, similarity});
  }
  std::stable_sort(similar.begin(), similar.end(),
                   [](const Similar& a, const Similar& b) { return a.similarity > b.similarity; });
  if (similar.size() > 9) similar.resize(9);  // the author itself is the tenth
  return similar;
}

std::array<uint64_t, 2> HistoryOracle::keys() const {
  return {all_[0].size(), all_[1].size()};
}

std::vector<double> HistoryOracle::values(const PlacedRow& row) const {
  const Fields& f = row.fields;
  std::vector<double> values;
  const auto four = [&](int history, const std::vector<std::string>& keys) {
    for (int r = 0; r < 4; ++r) {
      double sum = 0;
      for (const std::string& k : keys) sum += seen(history, k, r, row);
      values.push_back(sum);
    }
  };
  const auto common = [&](int history) {
    four(history, {key("pair", f[kAuthor], f[kReader])});
    four(history, {key("author", f[kAuthor])});
    four(history, {key("reader", f[kReader])});
    four(history, {key("language", f[kLanguage], f[kReader])});
    std::vector<std::string> hashtags;
    for (const std::string& hashtag : hashtags_of(f)) hashtags.push_back(key("hashtag", hashtag, f[kReader]));
    four(history, hashtags);
  };
  common(0);
  double similarities = 0;
  const std::vector<Similar> others = similar(f[kAuthor]);
  for (int r = 0; r < 4; ++r) {
    double sum = 0;
    for (const Similar& other : others) {
      sum += other.similarity * seen(0, key("pair", other.author, f[kReader]), r, row);
    }
    values.push_back(sum);
  }
  for (const Similar& other : others) similarities += other.similarity;
  values.push_back(similarities);
  common(1);
  four(1, {key("tweet", f[kTweet])});
  four(1, {key("pair", f[kReader], f[kAuthor])});
  four(1, {key("author", f[kReader])});
  four(1, {key("reader", f[kAuthor])});
  for (const std::string& k : {key("pair", f[kAuthor], f[kReader]), key("author", f[kAuthor]),
                               key("reader", f[kReader]), key("tweet", f[kTweet])}) {
    values.push_back(seen(1, k, 4, row));
  }
  return values;
}

std::string HistoryOracle::feature_lines(const std::string& split) const {
  std::string text;
  for (const PlacedRow& row : rows_) {
    if (row.split != split) continue;
    text += row.split + '\t' + row.part + '\t' + row.fields[kTweet] + '\t' + row.fields[kReader];
    for (const double value : values(row)) {
      char number[40];
      std::snprintf(number, sizeof number, "\t%.17g", value);
      text += number;
    }
    text += '\n';
  }
  return text;
}

}  // namespace kinglet::test
