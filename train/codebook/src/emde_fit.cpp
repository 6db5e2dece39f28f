#include "emde_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "kinglet/formats/error.h"

#include "projection.h"
#include "random.h"

namespace kinglet::codebook {
namespace {

// Depths whose projections of all tokens are held at a time: 4 x 16 doubles a token.
constexpr size_t kDepthsAtATime = 4;

void check(const TokenVectors& vectors, const EmdeOptions& options) {
  if (options.depth < 1 || options.depth > kMaxDepth)
    throw Error("codebook", "", "expected a depth of 1 to " + std::to_string(kMaxDepth));
  if (options.width < 1 || options.width > kMaxWidth)
    throw Error("codebook", "", "expected a width of 1 to " + std::to_string(kMaxWidth));
  if (vectors.tokens() == 0 || vectors.dimensions == 0)
    throw Error("codebook", "", "expected at least one token vector of at least one dimension");
}

void fit_mean(const TokenVectors& vectors, EmdeHash& hash) {
  hash.mean.assign(vectors.dimensions, 0);
  for (size_t token = 0; token < vectors.tokens(); ++token) {
    const auto vector = vectors.vector(token);
    for (size_t dimension = 0; dimension < vector.size(); ++dimension)
      hash.mean[dimension] += vector[dimension];
  }
  for (double& mean : hash.mean) mean /= static_cast<double>(vectors.tokens());
}

// A spread that the rounding of mean and sum alone explains is none; dividing by it would blow rounding up to
// noise.
bool is_constant(double variance, double mean, double tokens) {
  constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
  const double rounding = tokens * mean * kEpsilon;
  return variance <= tokens * kEpsilon * variance + rounding * rounding;
}

void fit_scale(const TokenVectors& vectors, EmdeHash& hash) {
  hash.scale.assign(vectors.dimensions, 0);
  for (size_t token = 0; token < vectors.tokens(); ++token) {
    const auto vector = vectors.vector(token);
    for (size_t dimension = 0; dimension < vector.size(); ++dimension) {
      const double distance = vector[dimension] - hash.mean[dimension];
      hash.scale[dimension] += distance * distance;
    }
  }
  const auto tokens = static_cast<double>(vectors.tokens());
  for (size_t dimension = 0; dimension < vectors.dimensions; ++dimension) {
    const double variance = hash.scale[dimension] / tokens;
    const bool constant = is_constant(variance, hash.mean[dimension], tokens);
    hash.scale[dimension] = constant ? 1 : std::sqrt(variance);
  }
}

// Drawn projection by projection: those of a smaller depth are no prefix, as the variance depends on the
// depth.
void draw_components(uint64_t seed, EmdeHash& hash) {
  const double deviation = 1 / std::sqrt(static_cast<double>(hash.projections()));
  Random random(seed, Stream::components);
  hash.components.resize(hash.projections() * hash.dimensions());
  for (float& component : hash.components) component = static_cast<float>(random.normal() * deviation);
}

/// Sorts no more than it must; `values` are left in another order.
double order_statistic(std::span<double> values, size_t rank) {
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

double median(std::span<double> values) {
  const size_t middle = values.size() / 2;
  const double upper = order_statistic(values, middle);
  if (values.size() % 2 == 1) return upper;
  const double lower =
      *std::max_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle));
  return (lower + upper) / 2;
}

/// Between the two order statistics on either side, linearly.
double quantile(std::span<double> values, double share) {
  const double place = share * static_cast<double>(values.size() - 1);
  const auto rank = static_cast<size_t>(place);
  const double lower = order_statistic(values, rank);
  if (rank + 1 == values.size()) return lower;
  const double upper =
      *std::min_element(values.begin() + static_cast<std::ptrdiff_t>(rank) + 1, values.end());
  return lower + (upper - lower) * (place - static_cast<double>(rank));
}

/// Projections of all tokens at depths [from, to): [projection][tokens].
std::vector<double> project_depths(const Projection& projection, const TokenVectors& vectors, size_t from,
                                   size_t to) {
  const size_t tokens = vectors.tokens();
  std::vector<double> values((to - from) * kBitsPerCode * tokens);
  std::array<double, kBitsPerCode> bits{};
  for_each_block(projection, vectors, [&](size_t first, size_t count, std::span<const double> block) {
    for (size_t depth = from; depth < to; ++depth) {
      for (size_t token = 0; token < count; ++token) {
        projection.project(depth, block.subspan(token * vectors.dimensions, vectors.dimensions), bits);
        double* place = values.data() + (depth - from) * kBitsPerCode * tokens + first + token;
        for (size_t bit = 0; bit < kBitsPerCode; ++bit) place[bit * tokens] = bits[bit];
      }
    }
  });
  return values;
}

}  // namespace

void fit_standardisation(const TokenVectors& vectors, EmdeHash& hash) {
  fit_mean(vectors, hash);
  fit_scale(vectors, hash);
}

TokenVectors standardised(TokenVectors vectors) {
  EmdeHash hash;
  fit_standardisation(vectors, hash);
  for (size_t i = 0; i < vectors.values.size(); ++i) {
    const size_t dimension = i % vectors.dimensions;
    vectors.values[i] = static_cast<float>((static_cast<double>(vectors.values[i]) - hash.mean[dimension]) /
                                           hash.scale[dimension]);
  }
  return vectors;
}

void fit_biases(const TokenVectors& vectors, const EmdeOptions& options, EmdeHash& hash,
                const ProgressFn& progress) {
  const Projection projection(hash);
  Random random(options.seed, Stream::quantiles);
  for (size_t from = 0; from < hash.depth; from += kDepthsAtATime) {
    if (progress) progress("fitting biases", from * kBitsPerCode, hash.projections(), "projections");
    const size_t to = std::min<size_t>(from + kDepthsAtATime, hash.depth);
    std::vector<double> values = project_depths(projection, vectors, from, to);
    for (size_t first = 0; first < values.size(); first += vectors.tokens()) {
      const auto of_one = std::span(values).subspan(first, vectors.tokens());
      hash.biases.push_back(options.bias == Bias::median ? median(of_one)
                                                         : quantile(of_one, random.uniform()));
    }
  }
}

EmdeHash fit_emde(const TokenVectors& vectors, const EmdeOptions& options, const ProgressFn& progress) {
  check(vectors, options);
  EmdeHash hash;
  hash.depth = options.depth;
  hash.width = options.width;
  fit_standardisation(vectors, hash);
  draw_components(options.seed, hash);
  fit_biases(vectors, options, hash, progress);
  return hash;
}

}  // namespace kinglet::codebook
