#include "network.h"

#include <algorithm>
#include <cmath>

#include "parallel.h"

namespace kinglet::train {
namespace {

constexpr size_t kOutputs = 4;

/// Columns of `source` added up over rows in row order.
void column_sums(const ConstMatrix& source, float* sums) {
  parallel_for((source.columns + kBlock - 1) / kBlock, [&](size_t block) {
    const size_t first = block * kBlock;
    const size_t size = std::min(kBlock, source.columns - first);
    std::array<double, kBlock> total{};
    for (size_t b = 0; b < source.rows; ++b) {
      for (size_t j = 0; j < size; ++j)
        total[j] += static_cast<double>(source.data[b * source.stride + first + j]);
    }
    for (size_t j = 0; j < size; ++j) sums[first + j] = static_cast<float>(total[j]);
  });
}

void copy_columns(const Buffer<float>& from, size_t from_stride, float* to, size_t to_stride, size_t columns,
                  size_t rows) {
  parallel_for(rows,
               [&](size_t b) { std::copy_n(from.data() + b * from_stride, columns, to + b * to_stride); });
}

/// Of the gradients that are handed over whole.
size_t largest_gradient(const ParameterLayout& layout) {
  return std::max({layout.columns(), 3 * layout.padded_hidden(), layout.size(Slot::language),
                   layout.size(Slot::hour), layout.size(Slot::day)});
}

}  // namespace

Network::Network(const NetworkShape& shape, size_t maximum_rows, double flip_penalty)
    : flip_penalty_(flip_penalty),
      layout_(shape),
      parameters_(layout_.total()),
      statistics_(layout_),
      sketch_(layout_),
      dense_(layout_),
      first_(maximum_rows * layout_.columns()),
      product_(maximum_rows * layout_.padded_hidden()),
      logits_(maximum_rows * kOutputs),
      logit_gradient_(maximum_rows * kOutputs),
      embedded_(maximum_rows * shape.embedded()),
      embedding_weights_(shape.embedded() * layout_.columns()),
      gradient_(largest_gradient(layout_)) {
  for (Layer& layer : layers_) {
    layer.activated = Buffer<float>(maximum_rows * layout_.padded_hidden());
    layer.out = Buffer<float>(maximum_rows * layout_.padded_hidden());
    layer.mean = Buffer<float>(layout_.padded_hidden());
    layer.inverse_deviation = Buffer<float>(layout_.padded_hidden());
  }
  for (Buffer<float>& delta : deltas_) delta = Buffer<float>(maximum_rows * layout_.padded_hidden());
}

Matrix Network::hidden(Buffer<float>& values, size_t rows) const noexcept {
  return {values.data(), rows, layout_.shape().hidden, layout_.padded_hidden()};
}

ConstMatrix Network::weights(Slot s) const noexcept {
  return {at(s), layout_.shape().hidden, layout_.shape().hidden, layout_.padded_hidden()};
}

NormLayer Network::norm(size_t i) noexcept {
  const Slot bias = i == 0 ? Slot::first_bias : slot(Slot::bias2, i - 1);
  return {at(bias),
          at(slot(Slot::scale1, i)),
          at(slot(Slot::shift1, i)),
          statistics_.mean[i].data(),
          statistics_.variance[i].data(),
          layers_[i].mean.data(),
          layers_[i].inverse_deviation.data(),
          layout_.padded_hidden(),
          layout_.padded_hidden()};
}

void Network::embed(Batch& batch) const noexcept {
  constexpr std::array<Slot, 3> kTables{Slot::language, Slot::hour, Slot::day};
  for (size_t b = 0; b < batch.rows(); ++b) {
    float* out = batch.plain(b) + layout_.shape().plain;
    for (size_t t = 0; t < kTables.size(); ++t) {
      std::copy_n(at(kTables[t]) + size_t{batch.categories[b][t]} * kEmbedding, kEmbedding,
                  out + t * kEmbedding);
    }
  }
}

void Network::normalise(size_t i, const float* product, size_t stride, const Addend& addend, size_t rows,
                        Mode mode) {
  Layer& layer = layers_[i];
  if (mode == Mode::train) {
    norm_forward(norm(i), product, stride, addend, layer.activated.data(), layer.out.data(), rows);
  } else {
    norm_infer(norm(i), product, stride, addend, layer.out.data(), rows);
  }
}

void Network::forward(Batch& batch, Mode mode) {
  const size_t rows = batch.rows();
  const size_t columns = layout_.columns();
  const size_t padded = layout_.padded_hidden();
  embed(batch);
  sketch_.forward(batch.sketch, parameters_.data(), first_.data());
  dense_.forward(batch, parameters_.data(), first_.data());
  const Addend projection{first_.data() + padded, columns, at(Slot::first_bias) + padded};
  const Addend residual{layers_[0].out.data(), padded, nullptr};
  normalise(0, first_.data(), columns, {}, rows, mode);
  for (size_t i = 1; i < kNorms; ++i) {
    multiply(hidden(layers_[i - 1].out, rows), weights(slot(Slot::weight2, i - 1)), hidden(product_, rows),
             Into::overwrite);
    normalise(i, product_.data(), padded, i < 3 ? projection : residual, rows, mode);
  }
  multiply_transposed(hidden(layers_[3].out, rows),
                      {at(Slot::output), kOutputs, layout_.shape().hidden, padded},
                      {logits_.data(), rows, kOutputs, kOutputs}, Into::overwrite);
  for (size_t i = 0; i < rows * kOutputs; ++i) logits_[i] += at(Slot::output_bias)[i % kOutputs];
}

double Network::loss(const Batch& batch) {
  const size_t values = batch.rows() * kOutputs;
  double total = 0;
  for (size_t i = 0; i < values; ++i) {
    const auto y = static_cast<double>(logits_[i]);
    const auto label = static_cast<double>(batch.labels[i / kOutputs][i % kOutputs]);
    const double decay = std::exp(-std::abs(y));
    const double weight = batch.weights.empty() ? 1 : batch.weights[i / kOutputs];
    total += weight * (std::max(y, 0.0) - y * label + std::log1p(decay));
    const double probability = y >= 0 ? 1 / (1 + decay) : decay / (1 + decay);
    logit_gradient_[i] = static_cast<float>(weight * (probability - label) / static_cast<double>(values));
  }
  return total / static_cast<double>(values);
}

const float* Network::infer(Batch& batch) {
  forward(batch, Mode::infer);
  return logits_.data();
}

double Network::train(Batch& batch, GradientSink& sink) {
  forward(batch, Mode::train);
  ++statistics_.batches;
  const double result = loss(batch);
  if (std::isfinite(result)) backward(batch, sink);
  return result;
}

void Network::hand_over(Slot s, size_t size, GradientSink& sink) {
  constexpr size_t kPart = size_t{1} << 14;
  parallel_for((size + kPart - 1) / kPart, [&](size_t i) {
    const size_t first = i * kPart;
    sink.take(layout_.offset(s) + first, gradient_.data() + first, std::min(kPart, size - first));
  });
}

void Network::output_backward(size_t rows, GradientSink& sink) {
  const size_t padded = layout_.padded_hidden();
  const Matrix logits{logit_gradient_.data(), rows, kOutputs, kOutputs};
  multiply(logits, {at(Slot::output), kOutputs, layout_.shape().hidden, padded}, hidden(deltas_[0], rows),
           Into::overwrite);
  weight_gradient(Slot::output, logits, {layers_[3].out.data(), rows, padded, padded}, sink);
  column_sums(logits, gradient_.data());
  hand_over(Slot::output_bias, kOutputs, sink);
}

void Network::norm_backward(size_t i, Buffer<float>& gradient, size_t rows, GradientSink& sink) {
  const size_t padded = layout_.padded_hidden();
  float* bias = gradient_.data();
  float* scale = bias + padded;
  float* shift = scale + padded;
  // The last layer is never folded: its units' sides cost nothing.
  const double penalty =
      i + 1 < kNorms ? flip_penalty_ / static_cast<double>(rows * layout_.shape().hidden) : 0;
  train::norm_backward(norm(i), layers_[i].activated.data(), gradient.data(), {bias, scale, shift}, rows,
                       penalty);
  if (i > 0) sink.take(layout_.offset(slot(Slot::bias2, i - 1)), bias, padded);
  sink.take(layout_.offset(slot(Slot::scale1, i)), scale, padded);
  sink.take(layout_.offset(slot(Slot::shift1, i)), shift, padded);
}

void Network::weight_gradient(Slot s, const ConstMatrix& input, const ConstMatrix& gradient,
                              GradientSink& sink) {
  // A tile is handed over while it is in the thread's second-level cache.
  constexpr size_t kTile = size_t{1} << 17;
  const size_t tile_rows = std::clamp<size_t>(kTile / gradient.stride, 1, input.columns);
  const size_t tile_size = tile_rows * gradient.stride;
  if (tiles_.size() < worker_count() * tile_size) tiles_ = Buffer<float>(worker_count() * tile_size);
  parallel_for((input.columns + tile_rows - 1) / tile_rows, [&](size_t i) {
    float* tile = tiles_.data() + worker_index() * tile_size;
    const size_t first = i * tile_rows;
    const size_t rows = std::min(tile_rows, input.columns - first);
    transposed_multiply({input.data + first, input.rows, rows, input.stride}, gradient,
                        {tile, rows, gradient.columns, gradient.stride});
    sink.take(layout_.offset(s) + first * gradient.stride, tile, rows * gradient.stride);
  });
}

void Network::backward(const Batch& batch, GradientSink& sink) {
  const size_t rows = batch.rows();
  const size_t padded = layout_.padded_hidden();
  auto& a = deltas_[0];
  auto& b = deltas_[1];
  auto& c = deltas_[2];
  const auto whole = [&](Buffer<float>& delta) { return Matrix{delta.data(), rows, padded, padded}; };
  output_backward(rows, sink);  // a = gradient of x4
  norm_backward(3, a, rows, sink);
  multiply_transposed(hidden(a, rows), weights(Slot::weight4), hidden(b, rows), Into::overwrite);
  weight_gradient(Slot::weight4, hidden(layers_[2].out, rows), whole(a), sink);

  norm_backward(2, b, rows, sink);  // a: x1's share through the residual
  multiply_transposed(hidden(b, rows), weights(Slot::weight3), hidden(c, rows), Into::overwrite);
  weight_gradient(Slot::weight3, hidden(layers_[1].out, rows), whole(b), sink);

  norm_backward(1, c, rows, sink);
  multiply_transposed(hidden(c, rows), weights(Slot::weight2), hidden(a, rows), Into::add);
  weight_gradient(Slot::weight2, hidden(layers_[0].out, rows), whole(c), sink);

  norm_backward(0, a, rows, sink);
  copy_columns(a, padded, first_.data(), layout_.columns(), padded, rows);
  parallel_for(rows, [&](size_t row) {  // projection feeds layers 2 and 3
    float* out = first_.data() + row * layout_.columns() + padded;
    for (size_t j = 0; j < padded; ++j) out[j] = b[row * padded + j] + c[row * padded + j];
  });
  first_layer_backward(batch, sink);
}

void Network::first_layer_backward(const Batch& batch, GradientSink& sink) {
  const size_t rows = batch.rows();
  const size_t columns = layout_.columns();
  const size_t embedded = layout_.shape().embedded();
  const size_t plain = layout_.shape().plain;
  const Matrix delta{first_.data(), rows, columns, columns};
  column_sums(delta, gradient_.data());
  hand_over(Slot::first_bias, columns, sink);
  parallel_for(embedded, [&](size_t i) {
    float* out = embedding_weights_.data() + i * columns;
    for (size_t column = 0; column < columns; column += kBlock) {
      std::copy_n(parameters_.data() + layout_.dense_at(plain + i, column), kBlock, out + column);
    }
  });
  multiply_transposed(delta, {embedding_weights_.data(), embedded, columns, columns},
                      {embedded_.data(), rows, embedded, embedded}, Into::overwrite);
  dense_.backward(first_.data(), sink);
  embedding_backward(batch, sink);
  sketch_.backward(batch.sketch, first_.data(), sink);
}

void Network::embedding_backward(const Batch& batch, GradientSink& sink) {
  constexpr std::array<Slot, 3> kTables{Slot::language, Slot::hour, Slot::day};
  for (size_t t = 0; t < kTables.size(); ++t) {
    const size_t size = layout_.size(kTables[t]);
    std::fill_n(gradient_.data(), size, 0.0F);
    for (size_t b = 0; b < batch.rows(); ++b) {
      float* out = gradient_.data() + size_t{batch.categories[b][t]} * kEmbedding;
      const float* in = embedded_.data() + b * layout_.shape().embedded() + t * kEmbedding;
      for (size_t j = 0; j < kEmbedding; ++j) out[j] += in[j];
    }
    hand_over(kTables[t], size, sink);
  }
}

}  // namespace kinglet::train
