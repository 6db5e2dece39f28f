#include "norm.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "clones.h"
#include "parallel.h"

namespace kinglet::train {
namespace {

constexpr float kSlope = 0.01F;
constexpr double kEpsilon = 1e-5;
constexpr double kMomentum = 0.1;
constexpr size_t kTile = 128;  // columns a task works on: its sums stay in the first-level cache

using Sums = std::array<double, kTile>;

// The loops over one row of a tile.

KINGLET_CLONES void activate(const float* __restrict product, const float* __restrict bias,
                             float* __restrict out, size_t size) noexcept {
  for (size_t j = 0; j < size; ++j) {
    const float z = product[j] + bias[j];
    out[j] = z > 0 ? z : kSlope * z;
  }
}

KINGLET_CLONES void activate_sum(const float* __restrict product, const float* __restrict bias,
                                 const float* __restrict addend, float* __restrict out,
                                 size_t size) noexcept {
  for (size_t j = 0; j < size; ++j) {
    const float z = product[j] + bias[j] + addend[j];
    out[j] = z > 0 ? z : kSlope * z;
  }
}

KINGLET_CLONES void add_to(const float* __restrict values, double* __restrict sums, size_t size) noexcept {
  for (size_t j = 0; j < size; ++j) sums[j] += static_cast<double>(values[j]);
}

KINGLET_CLONES void add_squares(const float* __restrict values, const double* __restrict means,
                                double* __restrict sums, size_t size) noexcept {
  for (size_t j = 0; j < size; ++j) {
    const double distance = static_cast<double>(values[j]) - means[j];
    sums[j] += distance * distance;
  }
}

KINGLET_CLONES void affine(const float* __restrict in, const float* __restrict factor,
                           const float* __restrict offset, float* __restrict out, size_t size) noexcept {
  for (size_t j = 0; j < size; ++j) out[j] = in[j] * factor[j] + offset[j];
}

KINGLET_CLONES void add_gradient(const float* __restrict gradient, const float* __restrict activated,
                                 const float* __restrict mean, double* __restrict sums,
                                 double* __restrict products, size_t size) noexcept {
  for (size_t j = 0; j < size; ++j) {
    const auto g = static_cast<double>(gradient[j]);
    sums[j] += g;
    products[j] += g * static_cast<double>(activated[j] - mean[j]);
  }
}

/// The three terms of batch normalisation's gradient, and the slope of the activation.
KINGLET_CLONES void pass_back(float* __restrict gradient, const float* __restrict activated,
                              const float* __restrict mean, const float* __restrict factor,
                              const float* __restrict constant, const float* __restrict along,
                              double* __restrict bias_sums, size_t size) noexcept {
  for (size_t j = 0; j < size; ++j) {
    const float a = activated[j];
    const float g = factor[j] * (gradient[j] - constant[j] - (a - mean[j]) * along[j]);
    const float result = a > 0 ? g : kSlope * g;
    gradient[j] = result;
    bias_sums[j] += static_cast<double>(result);
  }
}

/// Adds the penalty's gradient to those of rows below 0.
KINGLET_CLONES void push_up(float* __restrict gradient, const float* __restrict activated,
                            const float* __restrict push, double* __restrict bias_sums,
                            size_t size) noexcept {
  for (size_t j = 0; j < size; ++j) {
    const float g = activated[j] < 0 ? push[j] : 0;
    gradient[j] += g;
    bias_sums[j] += static_cast<double>(g);
  }
}

template <typename Task>
void for_each_tile(size_t columns, const Task& task) {
  parallel_for((columns + kTile - 1) / kTile, [&](size_t i) {
    const size_t first = i * kTile;
    task(first, std::min(kTile, columns - first));
  });
}

/// The bias of a tile, the addend's included.
std::array<float, kTile> tile_bias(const NormLayer& layer, const Addend& addend, size_t first, size_t size) {
  std::array<float, kTile> bias;
  for (size_t j = 0; j < size; ++j) {
    bias[j] = layer.bias[first + j] + (addend.bias != nullptr ? addend.bias[first + j] : 0.0F);
  }
  return bias;
}

void activate_row(const float* product, const float* bias, const float* addend, float* out,
                  size_t size) noexcept {
  if (addend != nullptr) {
    activate_sum(product, bias, addend, out, size);
  } else {
    activate(product, bias, out, size);
  }
}

const float* addend_row(const Addend& addend, size_t row, size_t first) noexcept {
  return addend.values == nullptr ? nullptr : addend.values + row * addend.stride + first;
}

/// One affine map of a column: (a - mean) / deviation x scale + shift.
struct TileMap {
  std::array<float, kTile> factor;
  std::array<float, kTile> offset;
};

TileMap tile_map(const NormLayer& layer, const float* mean, const float* inverse_deviation, size_t first,
                 size_t size) {
  TileMap map;
  for (size_t j = 0; j < size; ++j) {
    const size_t c = first + j;
    map.factor[j] = inverse_deviation[j] * layer.scale[c];
    map.offset[j] = layer.shift[c] - mean[j] * map.factor[j];
  }
  return map;
}

void take_statistics(const NormLayer& layer, const Sums& means, const Sums& squares, size_t first,
                     size_t size, size_t rows) {
  const auto n = static_cast<double>(rows);
  for (size_t j = 0; j < size; ++j) {
    const size_t c = first + j;
    layer.mean[c] = static_cast<float>(means[j]);
    layer.inverse_deviation[c] = static_cast<float>(1 / std::sqrt(squares[j] / n + kEpsilon));
    const auto move = [](float& running, double now) {
      running = static_cast<float>((1 - kMomentum) * static_cast<double>(running) + kMomentum * now);
    };
    move(layer.running_mean[c], means[j]);
    move(layer.running_variance[c], squares[j] / (n - 1));
  }
}

}  // namespace

void norm_forward(const NormLayer& layer, const float* product, size_t product_stride, const Addend& addend,
                  float* activated, float* out, size_t rows) {
  for_each_tile(layer.columns, [&](size_t first, size_t size) {
    const auto bias = tile_bias(layer, addend, first, size);
    Sums means{};
    for (size_t b = 0; b < rows; ++b) {
      float* row = activated + b * layer.stride + first;
      activate_row(product + b * product_stride + first, bias.data(), addend_row(addend, b, first), row,
                   size);
      add_to(row, means.data(), size);
    }
    for (double& mean : means) mean /= static_cast<double>(rows);
    Sums squares{};
    for (size_t b = 0; b < rows; ++b) {
      add_squares(activated + b * layer.stride + first, means.data(), squares.data(), size);
    }
    take_statistics(layer, means, squares, first, size, rows);
    const TileMap map = tile_map(layer, layer.mean + first, layer.inverse_deviation + first, first, size);
    for (size_t b = 0; b < rows; ++b) {
      const size_t at = b * layer.stride + first;
      affine(activated + at, map.factor.data(), map.offset.data(), out + at, size);
    }
  });
}

void norm_infer(const NormLayer& layer, const float* product, size_t product_stride, const Addend& addend,
                float* out, size_t rows) {
  for_each_tile(layer.columns, [&](size_t first, size_t size) {
    const auto bias = tile_bias(layer, addend, first, size);
    std::array<float, kTile> inverse_deviation;
    for (size_t j = 0; j < size; ++j) {
      const auto variance = static_cast<double>(layer.running_variance[first + j]);
      inverse_deviation[j] = static_cast<float>(1 / std::sqrt(variance + kEpsilon));
    }
    const TileMap map = tile_map(layer, layer.running_mean + first, inverse_deviation.data(), first, size);
    std::array<float, kTile> activated;
    for (size_t b = 0; b < rows; ++b) {
      activate_row(product + b * product_stride + first, bias.data(), addend_row(addend, b, first),
                   activated.data(), size);
      affine(activated.data(), map.factor.data(), map.offset.data(), out + b * layer.stride + first, size);
    }
  });
}

void norm_backward(const NormLayer& layer, const float* activated, float* gradient,
                   const NormGradients& gradients, size_t rows, double flip_penalty) {
  for_each_tile(layer.columns, [&](size_t first, size_t size) {
    const float* mean = layer.mean + first;
    Sums sums{};
    Sums products{};
    for (size_t b = 0; b < rows; ++b) {
      const size_t at = b * layer.stride + first;
      add_gradient(gradient + at, activated + at, mean, sums.data(), products.data(), size);
    }
    std::array<float, kTile> factor;
    std::array<float, kTile> constant;
    std::array<float, kTile> along;
    const auto n = static_cast<double>(rows);
    for (size_t j = 0; j < size; ++j) {
      const size_t c = first + j;
      const auto inverse = static_cast<double>(layer.inverse_deviation[c]);
      gradients.shift[c] = static_cast<float>(sums[j]);
      gradients.scale[c] = static_cast<float>(products[j] * inverse);
      factor[j] = static_cast<float>(static_cast<double>(layer.scale[c]) * inverse);
      constant[j] = static_cast<float>(sums[j] / n);
      along[j] = static_cast<float>(products[j] * inverse * inverse / n);
    }
    Sums bias{};
    for (size_t b = 0; b < rows; ++b) {
      const size_t at = b * layer.stride + first;
      pass_back(gradient + at, activated + at, mean, factor.data(), constant.data(), along.data(),
                bias.data(), size);
    }
    if (flip_penalty > 0) {
      std::array<float, kTile> push;
      for (size_t j = 0; j < size; ++j)
        push[j] = static_cast<float>(-flip_penalty * static_cast<double>(layer.inverse_deviation[first + j]));
      for (size_t b = 0; b < rows; ++b) {
        const size_t at = b * layer.stride + first;
        push_up(gradient + at, activated + at, push.data(), bias.data(), size);
      }
    }
    for (size_t j = 0; j < size; ++j) gradients.bias[first + j] = static_cast<float>(bias[j]);
  });
}

}  // namespace kinglet::train
