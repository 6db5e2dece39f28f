#include "dense_layer.h"

#include <algorithm>
#include <array>

#include "clones.h"
#include "parallel.h"

namespace kinglet::train {
namespace {

using Lanes = float __attribute__((vector_size(64), may_alias));
constexpr size_t kLanes = sizeof(Lanes) / sizeof(float);
constexpr size_t kInputs = 8;  // whose weights or gradients are held in registers
static_assert(kBlock % kLanes == 0 && kDenseGroup % kInputs == 0);

const Lanes& lanes(const float* at) noexcept {
  return *reinterpret_cast<const Lanes*>(at);
}
Lanes& lanes(float* at) noexcept {
  return *reinterpret_cast<Lanes*>(at);
}

/// For each i, sums[rows[i]] += differences[i][j] x weights[j], j ascending: kInputs rows of weights, kLanes
/// columns.
KINGLET_CLONES void add_products(const float* weights, const uint32_t* rows, const float* differences,
                                 size_t count, float* sums) noexcept {
  Lanes weight[kInputs];
  for (size_t j = 0; j < kInputs; ++j) weight[j] = lanes(weights + j * kBlock);
  for (size_t i = 0; i < count; ++i) {
    Lanes sum = lanes(sums + size_t{rows[i]} * kBlock);
    for (size_t j = 0; j < kInputs; ++j) sum += differences[i * kDenseGroup + j] * weight[j];
    lanes(sums + size_t{rows[i]} * kBlock) = sum;
  }
}

/// out[j] = usual[j] x total + sum over i of differences[i][j] x gradient[rows[i]], i ascending.
KINGLET_CLONES void sum_products(const float* gradient, const uint32_t* rows, const float* differences,
                                 size_t count, const float* usual, const float* total, float* out) noexcept {
  Lanes sum[kInputs];
  for (size_t j = 0; j < kInputs; ++j) sum[j] = usual[j] * lanes(total);
  for (size_t i = 0; i < count; ++i) {
    const Lanes g = lanes(gradient + size_t{rows[i]} * kBlock);
    for (size_t j = 0; j < kInputs; ++j) sum[j] += differences[i * kDenseGroup + j] * g;
  }
  for (size_t j = 0; j < kInputs; ++j) lanes(out + j * kBlock) = sum[j];
}

KINGLET_CLONES void count_ones(const float* __restrict values, float* __restrict counts,
                               size_t size) noexcept {
  for (size_t j = 0; j < size; ++j) counts[j] += values[j] == 1.0F ? 1.0F : 0.0F;
}

/// sums[j] = sum over i of usual[i] x weights[i][j], in the order of i: the usual row's part of a block.
void usual_products(const std::vector<float>& usual, const float* weights, float* sums) noexcept {
  std::fill_n(sums, kBlock, 0.0F);
  for (size_t i = 0; i < usual.size(); ++i) {
    if (usual[i] == 0) continue;
    for (size_t j = 0; j < kBlock; ++j) sums[j] += weights[i * kBlock + j];
  }
}

}  // namespace

DenseLayer::DenseLayer(const ParameterLayout& layout)
    : layout_(layout), usual_(layout.padded_dense()), groups_(layout.padded_dense() / kDenseGroup) {
  // A group in which no row differs has an address too: loops of no turns add offsets to it.
  for (Group& group : groups_) group.differences.reserve(kDenseGroup);
}

void DenseLayer::find_usual(const Batch& batch) {
  const size_t inputs = layout_.shape().dense();
  std::vector<float> ones(inputs);
  for (size_t b = 0; b < rows_; ++b) count_ones(batch.dense.data() + b * inputs, ones.data(), inputs);
  for (size_t i = 0; i < inputs; ++i) usual_[i] = 2 * ones[i] > static_cast<float>(rows_) ? 1.0F : 0.0F;
}

void DenseLayer::list(const Batch& batch, size_t group) {
  const size_t inputs = layout_.shape().dense();
  const size_t first = group * kDenseGroup;
  const size_t count = std::min(kDenseGroup, inputs - first);
  Group& out = groups_[group];
  out.rows.clear();
  out.differences.clear();
  for (size_t b = 0; b < rows_; ++b) {
    const float* row = batch.dense.data() + b * inputs + first;
    if (std::equal(row, row + count, usual_.data() + first)) continue;
    std::array<float, kDenseGroup> difference{};
    for (size_t j = 0; j < count; ++j) difference[j] = row[j] - usual_[first + j];
    out.rows.push_back(static_cast<uint32_t>(b));
    out.differences.insert(out.differences.end(), difference.begin(), difference.end());
  }
}

void DenseLayer::forward(const Batch& batch, const float* parameters, float* out) {
  rows_ = batch.rows();
  find_usual(batch);
  parallel_for(groups_.size(), [&](size_t group) { list(batch, group); });
  const size_t stride = layout_.columns();
  parallel_for(layout_.blocks(), [&](size_t block) {
    const float* weights = parameters + layout_.dense_at(0, block * kBlock);
    Buffer<float> sums(rows_ * kBlock);
    for (size_t g = 0; g < groups_.size(); ++g) {
      const Group& group = groups_[g];
      for (size_t j = 0; j < kDenseGroup; j += kInputs) {
        for (size_t column = 0; column < kBlock; column += kLanes) {
          add_products(weights + (g * kDenseGroup + j) * kBlock + column, group.rows.data(),
                       group.differences.data() + j, group.rows.size(), sums.data() + column);
        }
      }
    }
    std::array<float, kBlock> usual;
    usual_products(usual_, weights, usual.data());
    for (size_t b = 0; b < rows_; ++b) {
      float* to = out + b * stride + block * kBlock;
      for (size_t j = 0; j < kBlock; ++j) to[j] += usual[j] + sums[b * kBlock + j];
    }
  });
}

void DenseLayer::backward(const float* gradient, GradientSink& sink) {
  constexpr size_t kGroups = 8;  // handed over at a time: 16 KiB
  const size_t stride = layout_.columns();
  parallel_for(layout_.blocks(), [&](size_t block) {
    Buffer<float> columns(rows_ * kBlock);
    std::array<double, kBlock> sums{};
    for (size_t b = 0; b < rows_; ++b) {
      const float* from = gradient + b * stride + block * kBlock;
      std::copy_n(from, kBlock, columns.data() + b * kBlock);
      for (size_t j = 0; j < kBlock; ++j) sums[j] += static_cast<double>(from[j]);
    }
    alignas(64) std::array<float, kBlock> total;
    std::transform(sums.begin(), sums.end(), total.begin(),
                   [](double sum) { return static_cast<float>(sum); });
    alignas(64) std::array<float, kGroups * kDenseGroup * kBlock> part;
    for (size_t first = 0; first < groups_.size(); first += kGroups) {
      const size_t count = std::min(kGroups, groups_.size() - first);
      for (size_t i = 0; i < count * kDenseGroup; i += kInputs) {
        const size_t input = first * kDenseGroup + i;
        const Group& group = groups_[input / kDenseGroup];
        sink.expect(layout_.dense_at(input, block * kBlock), kInputs * kBlock);
        for (size_t column = 0; column < kBlock; column += kLanes) {
          sum_products(columns.data() + column, group.rows.data(),
                       group.differences.data() + input % kDenseGroup, group.rows.size(),
                       usual_.data() + input, total.data() + column, part.data() + i * kBlock + column);
        }
      }
      sink.take(layout_.dense_at(first * kDenseGroup, block * kBlock), part.data(),
                count * kDenseGroup * kBlock);
    }
  });
}

}  // namespace kinglet::train
