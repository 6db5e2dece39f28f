#include "engine/row_oracle.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>
#include <map>
#include <sstream>

namespace kinglet::test {
namespace {

// Field numbers of spec section 1.
enum Field {
  kTokens,
  kHashtags,
  kTweet,
  kMedia,
  kLinks,
  kDomains,
  kType,
  kLanguage,
  kTime,
  kAuthor,
  kReader = 14
};
constexpr int kLabels[] = {23, 20, 21, 22};  // like, reply, retweet, quote

bool reacted(const Fields& row, int r) {
  return row.size() > 20 && !row[static_cast<size_t>(kLabels[r])].empty();
}

std::vector<std::string> list(const std::string& text) {
  return text.empty() ? Fields{} : split(text, '\t');
}

double number(const std::string& text) {
  return static_cast<double>(std::stoll(text));
}

double days_between(const std::string& from, const std::string& to) {
  return std::floor((number(to) - number(from)) / 86400.0);
}

bool holds(const std::string& field, const char* item) {
  const Fields items = list(field);
  return std::find(items.begin(), items.end(), item) != items.end();
}

std::vector<double> counts_and_ages(const Fields& row) {
  return {static_cast<double>(list(row[kHashtags]).size()),
          static_cast<double>(list(row[kTokens]).size()),
          number(row[10]),
          number(row[11]),
          number(row[15]),
          number(row[16]),
          days_between(row[18], row[kTime]),
          days_between(row[13], row[kTime])};
}

std::vector<bool> flags(const Fields& row) {
  return {row[19] == "true",           row[12] == "true",         row[17] == "true",
          !row[kHashtags].empty(),     holds(row[kMedia], "GIF"), holds(row[kMedia], "Photo"),
          holds(row[kMedia], "Video"), !row[kLinks].empty(),      !row[kDomains].empty(),
          row[kType] == "Quote",       row[kType] == "Retweet",   row[kType] == "TopLevel"};
}

float leaky(float z) {
  return z > 0 ? z : 0.01F * z;
}

}  // namespace

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::vector<Fields> read_rows(const std::string& path) {
  std::vector<Fields> rows;
  std::ifstream in(path, std::ios::binary);
  for (std::string line; std::getline(in, line);) rows.push_back(split(line, '\x01'));
  return rows;
}

void HistoryOracle::count(const Fields& row, Counters& counters) {
  std::vector<std::string> keys = {"pair " + row[kAuthor] + " " + row[kReader], "author " + row[kAuthor],
                                   "reader " + row[kReader],
                                   "language " + row[kLanguage] + " " + row[kReader], "tweet " + row[kTweet]};
  std::set<std::string> seen;
  for (const std::string& hashtag : list(row[kHashtags])) {
    if (seen.insert(hashtag).second) keys.push_back("hashtag " + hashtag + " " + row[kReader]);
  }
  bool any = false;
  for (int r = 0; r < 4; ++r) any = any || reacted(row, r);
  for (const std::string& key : keys) {
    std::array<double, 5>& counts = counters[key];
    for (int r = 0; r < 4; ++r) counts[static_cast<size_t>(r)] += reacted(row, r) ? 1 : 0;
    counts[4] += any ? 0 : 1;
  }
}

void HistoryOracle::add_train(const Fields& row) {
  count(row, train_);
  if (row[19] == "true") followers_[row[kAuthor]].insert(row[kReader]);
}

void HistoryOracle::find_similar_authors() {
  for (const auto& author : followers_) {
    const std::string& a = author.first;
    const std::set<std::string>& followers_a = author.second;
    std::vector<std::pair<double, std::string>>& similar = similar_[a];
    for (const auto& [b, followers_b] : followers_) {
      double common = 0;
      for (const std::string& reader : followers_b) common += followers_a.contains(reader) ? 1 : 0;
      const double jaccard = common / (static_cast<double>(followers_a.size() + followers_b.size()) - common);
      if (jaccard >= 0.1) similar.emplace_back(-jaccard, b);
    }
    std::sort(similar.begin(), similar.end());
    if (similar.size() > 10) similar.resize(10);
    std::erase_if(similar, [&](const auto& entry) { return entry.second == a; });
  }
}

std::array<double, 5> HistoryOracle::at(const Counters& counters, const std::string& key) {
  const auto found = counters.find(key);
  return found == counters.end() ? std::array<double, 5>{} : found->second;
}

std::vector<double> HistoryOracle::values(const Fields& row) const {
  std::vector<double> values;
  const auto four = [&](const std::array<double, 5>& counts) {
    values.insert(values.end(), counts.begin(), counts.begin() + 4);
  };
  const std::string& author = row[kAuthor];
  const std::string& reader = row[kReader];
  const auto common = [&](const Counters& counters) {
    four(at(counters, "pair " + author + " " + reader));
    four(at(counters, "author " + author));
    four(at(counters, "reader " + reader));
    four(at(counters, "language " + row[kLanguage] + " " + reader));
    std::array<double, 5> hashtags{};
    for (const std::string& hashtag : list(row[kHashtags])) {
      const auto counts = at(counters, "hashtag " + hashtag + " " + reader);
      for (size_t r = 0; r < 4; ++r) hashtags[r] += counts[r];
    }
    four(hashtags);
  };
  common(train_);
  std::array<double, 5> weighted{};
  if (const auto found = similar_.find(author); found != similar_.end()) {
    for (const auto& [negative, other] : found->second) {
      const auto counts = at(train_, "pair " + other + " " + reader);
      for (size_t r = 0; r < 4; ++r) weighted[r] += -negative * counts[r];
      weighted[4] -= negative;
    }
  }
  values.insert(values.end(), weighted.begin(), weighted.end());
  common(valid_);
  four(at(valid_, "tweet " + row[kTweet]));
  four(at(valid_, "pair " + reader + " " + author));
  four(at(valid_, "author " + reader));
  four(at(valid_, "reader " + author));
  for (const std::string& key :
       {"pair " + author + " " + reader, "author " + author, "reader " + reader, "tweet " + row[kTweet]}) {
    values.push_back(at(valid_, key)[4]);
  }
  return values;
}

ScoreOracle::ScoreOracle(const formats::ModelFile& file) : file_(file) {
  for (const fbs::Language* language : *file.header().languages()) {
    languages_[language->name()->str()] = language->category();
  }
}

std::vector<float> ScoreOracle::first_layer(const Fields& row, const std::vector<double>& history) const {
  const formats::TensorView& table = file_.tensor("first_layer.rows", "oracle");
  const size_t width = table.dimension(1);
  const fbs::FeatureLayout& layout = *file_.header().layout();
  const size_t depths = layout.sketch()->depth();
  const size_t codes = layout.sketch()->width();
  const float* bias = vector("first_layer.bias");
  std::vector<float> sum(bias, bias + width);
  const auto table_row = [&](size_t r) { return table.f32() + r * width; };

  const formats::TensorView& codebook = file_.tensor("codebook", "oracle");
  const Fields tokens = list(row[kTokens]);
  for (size_t d = 0; d < depths; ++d) {
    std::vector<std::pair<size_t, float>> active;  // code, occurrences: in order of first appearance
    for (size_t t = 1; t + 1 < tokens.size(); ++t) {
      const size_t token = std::stoull(tokens[t]);
      if (token >= codebook.dimension(0)) continue;
      const uint16_t code = codebook.u16()[token * depths + d];
      if (code == formats::kNoCode) continue;
      const auto same = [&](const auto& entry) { return entry.first == code; };
      const auto found = std::find_if(active.begin(), active.end(), same);
      if (found == active.end()) {
        active.emplace_back(code, 1.0F);
      } else {
        found->second += 1;
      }
    }
    double squares = 0;
    for (const auto& [code, occurrences] : active) squares += static_cast<double>(occurrences) * occurrences;
    if (active.empty()) continue;
    const auto scale = static_cast<float>(1.0 / std::sqrt(squares));
    for (size_t o = 0; o < width; ++o) {
      float s = 0;
      for (const auto& [code, occurrences] : active)
        s = std::fmaf(occurrences, table_row(d * codes + code)[o], s);
      sum[o] = std::fmaf(scale, s, sum[o]);
    }
  }

  // Active rows of the tweet, of the reader and of the pair.
  std::map<fbs::Scope, std::vector<std::pair<size_t, float>>> rest;
  size_t next_row = depths * codes;
  std::vector<double> numerics = history;
  for (const double value : counts_and_ages(row)) numerics.push_back(value);
  for (unsigned n = 0; n < numerics.size(); ++n) {
    auto& part = rest[layout.numerics()->Get(n)->scope()];
    const double x = numerics[n];
    // The bias holds each number at 0: sines of 0, cosines of 1.
    for (int i = -1; i <= 6; ++i, ++next_row) {
      if (x != 0) part.emplace_back(next_row, static_cast<float>(std::sin(x / std::pow(2.0, i))));
    }
    for (int i = -1; i <= 6; ++i, ++next_row) {
      if (x != 0) part.emplace_back(next_row, static_cast<float>(std::cos(x / std::pow(2.0, i))) - 1.0F);
    }
  }
  unsigned flag_number = 0;
  for (const bool flag : flags(row)) {
    if (flag) rest[layout.flags()->Get(flag_number)->scope()].emplace_back(next_row, 1.0F);
    ++next_row;
    ++flag_number;
  }
  auto& tweet = rest[fbs::Scope::tweet];
  const auto language = languages_.find(row[kLanguage]);
  const auto time = static_cast<time_t>(std::stoll(row[kTime]));
  std::tm utc{};
  gmtime_r(&time, &utc);
  tweet.emplace_back(next_row + (language == languages_.end() ? languages_.size() : language->second), 1.0F);
  next_row += layout.embeddings()->Get(0)->categories();
  tweet.emplace_back(next_row + static_cast<size_t>(utc.tm_hour), 1.0F);
  next_row += layout.embeddings()->Get(1)->categories();
  tweet.emplace_back(next_row + static_cast<size_t>(utc.tm_mday - 1), 1.0F);
  const auto add = [&](fbs::Scope scope, std::vector<float>& to) {
    for (size_t o = 0; o < width; ++o) {
      float s = 0;
      for (const auto& [r, value] : rest[scope]) s = std::fmaf(value, table_row(r)[o], s);
      to[o] = std::fmaf(1.0F, s, to[o]);
    }
  };
  add(fbs::Scope::tweet, sum);
  std::vector<float> reader(width);
  add(fbs::Scope::reader, reader);
  for (size_t o = 0; o < width; ++o) sum[o] += reader[o];
  add(fbs::Scope::pair, sum);
  return sum;
}

/// bias + weights x in, in parts of 64 inputs.
std::vector<float> ScoreOracle::dense(const std::string& name, const std::vector<float>& in,
                                      size_t outputs) const {
  const formats::TensorView& weights = file_.tensor(name + ".weights", "oracle");
  const size_t inputs = weights.dimension(1);
  const size_t panel = weights.info->panel();
  std::vector<float> out(outputs);
  for (size_t o = 0; o < outputs; ++o) {
    float z = vector(name + ".bias")[o];
    for (size_t block = 0; block < inputs; block += 64) {
      float s = 0;
      for (size_t i = block; i < std::min(inputs, block + 64); ++i) {
        s = std::fmaf(weights.f32()[(o / panel * inputs + i) * panel + o % panel], in[i], s);
      }
      z += s;
    }
    out[o] = z;
  }
  return out;
}

std::array<float, 4> ScoreOracle::probabilities(const Fields& row, const std::vector<double>& history) const {
  const std::vector<float> sum = first_layer(row, history);
  const fbs::Plan& plan = *file_.header().plan();
  const size_t hidden = plan.blocks()->Get(0)->width();
  const float* projection = sum.data() + plan.blocks()->Get(1)->offset();
  std::vector<float> first(hidden);
  for (size_t o = 0; o < hidden; ++o) first[o] = leaky(sum[o]);
  std::vector<float> x = first;
  for (const char* name : {"hidden2", "hidden3"}) {
    x = dense(name, x, hidden);
    for (size_t o = 0; o < hidden; ++o) x[o] = leaky(x[o] + projection[o]);
  }
  x = dense("hidden4", x, hidden);
  for (size_t o = 0; o < hidden; ++o) {
    x[o] = leaky(x[o] + std::fmaf(vector("hidden1.scale")[o], first[o], vector("hidden1.shift")[o]));
  }
  x = dense("logits", x, 4);
  std::array<float, 4> probabilities{};
  for (size_t t = 0; t < 4; ++t)
    probabilities[t] = static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(x[t]))));
  return probabilities;
}

}  // namespace kinglet::test
