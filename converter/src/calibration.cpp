#include "calibration.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <string_view>

#include <xxhash.h>

#include "kinglet/formats/history_file.h"
#include "kinglet/formats/row_reader.h"

namespace kinglet::converter {
namespace {

constexpr uint64_t kProgressRows = 64;

/// XXH3-128 of texts one after the other.
class RunningChecksum {
 public:
  RunningChecksum() { XXH3_128bits_reset(&state_); }
  void add(std::string_view text) {
    XXH3_128bits_update(&state_, text.data(), text.size());
    bytes_ += text.size();
  }
  uint64_t bytes() const { return bytes_; }
  formats::Checksum value() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(&state_);
    return {hash.low64, hash.high64};
  }

 private:
  XXH3_state_t state_{};
  uint64_t bytes_ = 0;
};

/// Running errors of one vector of the plan.
class LayerErrors {
 public:
  LayerErrors(std::string name, const Norm* norm) : name_(std::move(name)), norm_(norm) {}

  /// The converted plan's hidden values are normalised less their mean where `normalised`; the reference's
  /// never are.
  void add(const Session& converted, const Session& reference, bool normalised) {
    const std::span<const float> actual = converted.value(name_);
    const std::span<const float> expected = reference.value(name_);
    if (actual.empty()) return;  // a folded layer has no values of its own
    for (size_t i = 0; i < expected.size(); ++i) {
      const double scale = norm_ != nullptr ? norm_->scale[i] : 1;
      const double shift = norm_ != nullptr ? norm_->shift[i] - norm_->mean[i] : 0;
      const double wanted = scale * double{expected[i]} + shift;
      const double found = normalised ? double{actual[i]} : scale * double{actual[i]} + shift;
      squares_ += wanted * wanted;
      errors_ += (found - wanted) * (found - wanted);
      largest_ = std::max(largest_, std::fabs(found - wanted));
      ++count_;
    }
  }
  LayerError result() const {
    const double count = count_ == 0 ? 1 : static_cast<double>(count_);
    return {name_, std::sqrt(errors_ / count), std::sqrt(squares_ / count), largest_};
  }

 private:
  std::string name_;
  const Norm* norm_;
  double squares_ = 0;
  double errors_ = 0;
  double largest_ = 0;
  uint64_t count_ = 0;
};

bool has_step_scale(const Model& model, const std::string& name) {
  for (const fbs::Step* step : *model.file().header().plan()->steps()) {
    if (step->name()->string_view() == name) return step->scale() != nullptr;
  }
  return false;
}

double mean_of(const std::vector<uint64_t>& values) {
  double sum = 0;
  for (const uint64_t value : values) sum += static_cast<double>(value);
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

uint64_t percentile_99(std::vector<uint64_t> values) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) * 99 / 100);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

CalibrationRows read_rows(const Model& model, const CalibrationOptions& options, const ProgressFn& progress) {
  const formats::HistoryFile history(options.history);
  Session session(model);
  formats::RowReader reader(options.rows);
  CalibrationRows rows;
  RunningChecksum checksum;
  Row row;
  while (rows.requests.size() < options.maximum_rows && reader.next(row)) {
    Request request;
    const Status status = session.request(row, history, request);
    if (status != Status::ok) throw reader.error_here(status_text(status));
    rows.requests.push_back({{request.tokens.begin(), request.tokens.end()},
                             {request.numerics.begin(), request.numerics.end()},
                             request.flags,
                             {request.categories.begin(), request.categories.end()}});
    checksum.add(reader.text());
    checksum.add("\n");
    if (progress && rows.requests.size() % 1'024 == 0)
      progress("calibration rows", rows.requests.size(), options.maximum_rows, "rows");
  }
  rows.bytes = checksum.bytes();
  rows.checksum = checksum.value();
  return rows;
}

FrequentValues frequent_values(const std::vector<StoredRequest>& requests, size_t numerics, uint64_t budget,
                               uint64_t row_bytes) {
  struct Candidate {
    uint64_t count;
    size_t numeric;
    double value;
  };
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < numerics; ++i) {
    std::map<double, uint64_t> counts;
    for (const StoredRequest& request : requests) ++counts[request.numerics[i]];
    for (const auto& [value, count] : counts) {
      if (value != 0 && count > 1) candidates.push_back({count, i, value});
    }
  }
  // Stable: equal counts stay in the order of features and values.
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.count > b.count; });
  candidates.resize(std::min<uint64_t>(candidates.size(), budget / row_bytes));
  FrequentValues frequent(numerics);
  for (const Candidate& candidate : candidates) frequent[candidate.numeric].push_back(candidate.value);
  for (std::vector<double>& values : frequent) std::sort(values.begin(), values.end());
  return frequent;
}

std::vector<FrequentToken> frequent_tokens(const std::vector<StoredRequest>& requests,
                                           std::span<const uint16_t> codes, TextShape sketch, uint64_t budget,
                                           uint64_t row_bytes) {
  std::map<uint32_t, uint64_t> counts;
  for (const StoredRequest& request : requests) {
    for (size_t t = 1; t + 1 < request.tokens.size(); ++t) {
      const uint64_t first = uint64_t{request.tokens[t]} * sketch.depth;
      if (first < codes.size() && codes[first] != formats::kNoCode) ++counts[request.tokens[t]];
    }
  }
  std::vector<std::pair<uint32_t, uint64_t>> by_count(counts.begin(), counts.end());
  std::stable_sort(by_count.begin(), by_count.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  by_count.resize(std::min<uint64_t>(by_count.size(), budget / row_bytes));
  std::vector<FrequentToken> tokens;
  for (const auto& [token, count] : by_count) {
    tokens.push_back({token, {}});
    for (uint32_t d = 0; d < sketch.depth; ++d)
      tokens.back().rows.push_back(d * sketch.width + codes[uint64_t{token} * sketch.depth + d]);
  }
  return tokens;
}

ActiveRowSets once_rows(const std::vector<StoredRequest>& requests, size_t flags,
                        std::span<const uint64_t> categories, const FrequentValues& frequent) {
  ActiveRowSets sets;
  for (const StoredRequest& request : requests) {
    for (uint32_t i = 0; i < flags; ++i) {
      if ((request.flags >> i & 1) != 0) sets.rows.push_back(i);
    }
    uint64_t first = flags;
    for (size_t i = 0; i < categories.size(); first += categories[i++])
      sets.rows.push_back(static_cast<uint32_t>(first + request.categories[i]));
    for (size_t i = 0; i < frequent.size(); first += frequent[i++].size()) {
      const double value = request.numerics[i];
      const auto found = std::lower_bound(frequent[i].begin(), frequent[i].end(), value);
      if (found != frequent[i].end() && *found == value)
        sets.rows.push_back(
            static_cast<uint32_t>(first + static_cast<uint64_t>(found - frequent[i].begin())));
    }
    sets.ends.push_back(sets.rows.size());
  }
  return sets;
}

std::vector<double> token_weights(const std::vector<StoredRequest>& requests, size_t vocabulary) {
  std::vector<double> weights(vocabulary, 0.5);
  for (const StoredRequest& request : requests) {
    for (size_t t = 1; t + 1 < request.tokens.size(); ++t) {
      if (request.tokens[t] < vocabulary) weights[request.tokens[t]] += 1;
    }
  }
  return weights;
}

Sides find_sides(const Model& reference, const std::vector<StoredRequest>& requests,
                 const ProgressFn& progress) {
  // The fp32 plan's values whose signs are those of the layers' sums.
  constexpr std::array<std::string_view, kFoldable> kNames = {"l1", "hidden2", "hidden3"};
  Session session(reference);
  std::array<std::vector<uint64_t>, kFoldable> above;
  uint64_t done = 0;
  for (const StoredRequest& stored : requests) {
    Scores scores;
    if (session.score(stored.request(), scores) != Status::ok)
      throw Error("calibration", "", "a request was refused");
    for (size_t layer = 0; layer < kFoldable; ++layer) {
      const std::span<const float> values = session.value(kNames[layer]);
      above[layer].resize(values.size());
      for (size_t i = 0; i < values.size(); ++i) above[layer][i] += values[i] > 0 ? 1 : 0;
    }
    if (progress && ++done % kProgressRows == 0) progress("signs", done, requests.size(), "rows");
  }
  Sides sides;
  for (size_t layer = 0; layer < kFoldable; ++layer) {
    for (const uint64_t count : above[layer]) {
      const uint64_t rest = requests.size() - count;
      sides.usual[layer].push_back(count > rest);
      sides.flips[layer] += static_cast<double>(std::min(count, rest)) / static_cast<double>(requests.size());
    }
  }
  return sides;
}

ActiveRows count_active_rows(const std::vector<StoredRequest>& requests, const Frequent& frequent,
                             std::span<const uint16_t> codes, const TextShape& text, size_t encoded_values) {
  ActiveRows total;
  std::set<uint32_t> distinct;
  std::set<uint32_t> with_rows;
  for (const FrequentToken& token : frequent.tokens) with_rows.insert(token.token);
  for (const StoredRequest& request : requests) {
    distinct.clear();
    for (size_t t = 1; t + 1 < request.tokens.size(); ++t) {
      if (with_rows.contains(request.tokens[t])) {
        ++total.tokens;
        continue;
      }
      const uint64_t first = uint64_t{request.tokens[t]} * text.depth;
      for (uint32_t d = 0; first + d < codes.size() && d < text.depth; ++d) {
        if (codes[first + d] != formats::kNoCode) distinct.insert(d * text.width + codes[first + d]);
      }
    }
    total.sketch += static_cast<double>(distinct.size());
    if (request.tokens.size() > 2) total.means += text.dimensions;
    total.features += std::popcount(request.flags) + static_cast<int>(request.categories.size());
    for (size_t i = 0; i < request.numerics.size(); ++i) {
      const double value = request.numerics[i];
      const bool own = i < frequent.values.size() &&
                       std::binary_search(frequent.values[i].begin(), frequent.values[i].end(), value);
      if (value == 0) continue;
      (own ? total.features : total.encoded) += own ? 1.0 : static_cast<double>(encoded_values);
    }
  }
  const double count = requests.empty() ? 1 : static_cast<double>(requests.size());
  return {total.sketch / count, total.tokens / count, total.encoded / count, total.features / count,
          total.means / count};
}

uint32_t choose_side_bits(const Sides& sides, size_t layers, uint64_t hidden) {
  constexpr double kSeldom = 0.02;
  const double flips = std::accumulate(sides.flips.begin(), sides.flips.begin() + layers, 0.0);
  return flips < kSeldom * static_cast<double>(layers * hidden) ? 1 : 4;
}

namespace {

/// Bytes that a request reads of one output of a block: of a folded layer, whose rows have `side_bits`, or
/// else.
class BlockBytes {
 public:
  BlockBytes(const ActiveRows& rows, const NarrowTypes& types) : rows_(rows), types_(types) {}

  double dense_plan() const { return rows_.sketch * bytes_of(types_.sketch) + others(1); }
  double behind_folded() const {
    const bool nibbles = types_.sketch == fbs::ElementType::s4;
    return rows_.sketch * (nibbles ? 1 : bytes_of(types_.sketch)) + others(1);
  }
  double folded(uint32_t side_bits) const {
    if (types_.sketch != fbs::ElementType::s4) return behind_folded();
    return rows_.sketch * side_bits / 8 + others(side_bits == 1 ? 0.5 : 1);
  }

 private:
  static double bytes_of(fbs::ElementType type) {
    return static_cast<double>(formats::element_bits(type)) / 8;
  }
  double others(double share) const {
    return share * (rows_.tokens * bytes_of(types_.tokens) + rows_.encoded * bytes_of(types_.encoded) +
                    rows_.features * bytes_of(types_.once)) +
           rows_.means * bytes_of(types_.mean);
  }

  const ActiveRows& rows_;
  const NarrowTypes& types_;
};

}  // namespace

size_t choose_layers(const Sides& sides, const ActiveRows& rows, const NarrowTypes& types, uint64_t hidden,
                     std::optional<uint32_t> side_bits, double scattered_cost) {
  const auto width = static_cast<double>(hidden);
  const double columns = static_cast<double>(formats::element_bits(types.columns)) / 8;
  const double dense = static_cast<double>(formats::element_bits(types.hidden)) / 8;
  const BlockBytes block(rows, types);
  size_t best = 0;
  double fewest = scattered_cost * 2 * block.dense_plan() * width + 3 * dense * width * width;
  for (size_t layers = 1; layers <= kFoldable; ++layers) {
    const auto folded = static_cast<double>(layers);
    const double behind = layers < 2 ? 2 : 1;
    const uint32_t bits = side_bits.value_or(choose_side_bits(sides, layers, hidden));
    double gathered = (folded * block.folded(bits) + behind * block.behind_folded()) * width;
    for (size_t layer = 0; layer < layers; ++layer)
      gathered += sides.flips[layer] * static_cast<double>(layers - layer) * width * columns;
    const double bytes =
        scattered_cost * gathered + static_cast<double>(kFoldable - layers) * dense * width * width;
    if (bytes < fewest) best = layers;
    fewest = std::min(fewest, bytes);
  }
  return best;
}

uint64_t DenseBytes::of(const BytesRead& folded) const {
  const double rows =
      row_share * static_cast<double>(folded.rows) + sketch_share * static_cast<double>(folded.sketch);
  return folded.vectors + static_cast<uint64_t>(std::llround(rows)) + folded.dense + layers;
}

CalibrationReport compare(const Model& model, const Model& reference, const Network& network,
                          const DenseBytes& dense, const std::vector<StoredRequest>& requests,
                          const ProgressFn& progress) {
  Session converted(model);
  Session exact(reference);
  std::vector<LayerErrors> layers;
  layers.emplace_back("l1", nullptr);
  layers.emplace_back("projection", nullptr);
  for (size_t k = 0; k < network.norms.size(); ++k)
    layers.emplace_back("hidden" + std::to_string(k + 1), &network.norms[k]);
  layers.emplace_back("logits", nullptr);
  std::vector<bool> normalised;
  normalised.reserve(layers.size());
  for (const LayerErrors& layer : layers) normalised.push_back(has_step_scale(model, layer.result().name));

  CalibrationReport report;
  std::vector<uint64_t> bytes;
  std::vector<uint64_t> dense_bytes;
  for (const StoredRequest& stored : requests) {
    Scores before;
    Scores after;
    if (exact.score(stored.request(), before) != Status::ok ||
        converted.score(stored.request(), after) != Status::ok) {
      throw Error("calibration", "", "a request was refused");
    }
    for (size_t i = 0; i < layers.size(); ++i) layers[i].add(converted, exact, normalised[i]);
    report.before.push_back(before.probabilities);
    report.after.push_back(after.probabilities);
    bytes.push_back(converted.bytes_read().total());
    dense_bytes.push_back(dense.of(converted.bytes_read()));
    if (progress && bytes.size() % kProgressRows == 0)
      progress("comparing", bytes.size(), requests.size(), "rows");
  }
  for (const LayerErrors& layer : layers) {
    if (layer.result().magnitude > 0) report.layers.push_back(layer.result());
  }
  report.bytes_mean = mean_of(bytes);
  report.bytes_p99 = percentile_99(std::move(bytes));
  report.dense_bytes_mean = mean_of(dense_bytes);
  report.dense_bytes_p99 = percentile_99(std::move(dense_bytes));
  return report;
}

}  // namespace kinglet::converter
