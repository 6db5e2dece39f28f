#include "fold_skeleton.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <string>

#include "kinglet/kernels/kernels.h"

namespace kinglet::converter {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;
using MatrixView = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;

Eigen::Map<const Vector> view(const std::vector<double>& values) {
  return {values.data(), static_cast<Eigen::Index>(values.size())};
}

Eigen::Map<const Matrix> weights_of(const Linear& linear) {
  return {linear.weight.data(), static_cast<Eigen::Index>(linear.outputs),
          static_cast<Eigen::Index>(linear.inputs)};
}

/// The projection joins layers 1 and 2; it needs a block of its own where one of them is dense.
bool reads_projection(size_t layers) {
  return layers < 2;
}

/// Folds layer after layer into a first-layer table. Layers count from 0; layer k's sum is affine in the
/// inputs once the layers before it are folded.
class Skeleton {
 public:
  Skeleton(const Network& network, const FirstLayerTable& dense, const UsualSides& usual, size_t layers)
      : network_(network), usual_(usual), layers_(layers), dense_(dense) {
    const auto rows = static_cast<Eigen::Index>(dense.rows());
    const auto hidden = static_cast<Eigen::Index>(network.hidden());
    const Eigen::OuterStride<> stride(static_cast<Eigen::Index>(dense.stride()));
    const double* projection = dense.values().data() + dense.block();
    sums_.emplace_back(MatrixView(dense.values().data(), rows, hidden, stride));
    projection_ = MatrixView(projection, rows, hidden, stride);
    biases_.emplace_back(Eigen::Map<const Vector>(dense.bias().data(), hidden));
    projection_bias_ = Eigen::Map<const Vector>(dense.bias().data() + dense.block(), hidden);
    for (size_t layer = 1; layer <= layers; ++layer) fold_layer(layer);
  }

  /// The blocks: l1, the folded layers' sums, and the projection where a dense layer still reads it.
  FirstLayerTable table() const {
    const uint64_t block = round_up(network_.hidden(), kernels::kByteLane);
    const uint64_t stride = skeleton_columns(network_.hidden(), layers_);
    const size_t blocks = stride / block;
    std::vector<double> values(dense_.rows() * stride);
    std::vector<double> bias(stride);
    for (size_t b = 0; b < blocks; ++b) {
      const bool is_sum = b < sums_.size();
      put(is_sum ? sums_[b] : projection_, values.data() + b * block, stride);
      const Vector& part = is_sum ? biases_[b] : projection_bias_;
      std::copy(part.begin(), part.end(), bias.begin() + static_cast<std::ptrdiff_t>(b * block));
    }
    return {block, std::move(values), std::move(bias)};
  }

  /// Row i: what one unit of layer `layer`, off its usual side by 1, adds to the blocks behind; each padded.
  std::vector<double> columns(size_t layer) const {
    const uint64_t block = round_up(network_.hidden(), kernels::kByteLane);
    const uint64_t width = (layers_ - layer) * block;
    std::vector<double> values(network_.hidden() * width);
    const std::vector<Matrix> parts = columns_of(layer);
    for (size_t p = 0; p < parts.size(); ++p) put(parts[p].transpose(), values.data() + p * block, width);
    return values;
  }

 private:
  static void put(const Matrix& from, double* to, uint64_t stride) {
    Eigen::Map<Matrix, 0, Eigen::OuterStride<>>(
        to, from.rows(), from.cols(), Eigen::OuterStride<>(static_cast<Eigen::Index>(stride))) = from;
  }

  /// What a layer's leaky units multiply their sums by, on their usual side.
  Vector usual_slopes(size_t layer) const {
    Vector slopes(static_cast<Eigen::Index>(network_.hidden()));
    for (Eigen::Index i = 0; i < slopes.size(); ++i)
      slopes[i] = usual_[layer][static_cast<size_t>(i)] ? 1.0 : double{kLeakySlope};
    return slopes;
  }

  /// W of `layer` with the normalisation of the layer before it: what its units' activations are multiplied
  /// by.
  Matrix reading(size_t layer) const {
    return weights_of(network_.hidden_layer(layer)) * view(network_.norms[layer - 1].scale).asDiagonal();
  }

  void fold_layer(size_t layer) {
    const Matrix read = reading(layer) * usual_slopes(layer - 1).asDiagonal();
    const Linear& linear = network_.hidden_layer(layer);
    Matrix sum = sums_.back() * read.transpose();
    Vector bias = read * biases_.back() + view(linear.bias) +
                  weights_of(linear) * view(network_.norms[layer - 1].shift);
    if (layer < kFoldable) {
      sum += projection_;
      bias += projection_bias_;
    } else {  // the residual: hidden1, normalised
      const Vector factor = view(network_.norms[0].scale).cwiseProduct(usual_slopes(0));
      sum += sums_.front() * factor.asDiagonal();
      bias += factor.cwiseProduct(biases_.front()) + view(network_.norms[0].shift);
    }
    sums_.push_back(std::move(sum));
    biases_.push_back(std::move(bias));
  }

  /// [outputs][units of `layer`] for each folded layer behind.
  std::vector<Matrix> columns_of(size_t layer) const {
    std::vector<Matrix> parts;
    for (size_t next = layer + 1; next <= layers_; ++next) {
      Matrix part = reading(next);
      if (next > layer + 1) part = part * usual_slopes(next - 1).asDiagonal() * parts.back();
      if (layer == 0 && next == kFoldable) part.diagonal() += view(network_.norms[0].scale);
      parts.push_back(std::move(part));
    }
    return parts;
  }

  const Network& network_;
  const UsualSides& usual_;
  size_t layers_;
  const FirstLayerTable& dense_;
  std::vector<Matrix> sums_;  // [rows][hidden] of l1, then of each folded layer
  std::vector<Vector> biases_;
  Matrix projection_;
  Vector projection_bias_;
};

/// Scales every column's row to magnitude 1, so that integers of all units share a scale, and returns what
/// each was before.
std::vector<double> scale_columns(std::vector<double>& columns, size_t units) {
  const size_t width = columns.size() / units;
  std::vector<double> magnitudes(units);
  for (size_t i = 0; i < units; ++i) {
    const std::span<double> row(columns.data() + i * width, width);
    double largest = 0;
    for (const double value : row) largest = std::max(largest, std::fabs(value));
    const bool nothing = largest < kNegligible;
    for (double& value : row) value = nothing ? 0 : value / largest;
    magnitudes[i] = nothing ? 1 : largest;
  }
  return magnitudes;
}

/// One folded layer's step in the making.
class FlipStep {
 public:
  FlipStep(const Network& network, const UsualSides& usual, size_t layer, size_t layers)
      : network_(network),
        usual_(usual[layer]),
        layer_(layer),
        layers_(layers),
        padded_(round_up(network.hidden(), kernels::kWidePanel)),
        step_(std::make_unique<fbs::StepT>()) {
    step_->name = "flips" + std::to_string(layer + 1);
    step_->input = block_name(layer);
  }

  void add_columns(std::vector<double> columns, fbs::ElementType type, TensorPack& pack) {
    magnitudes_ = scale_columns(columns, usual_.size());
    const uint64_t width = columns.size() / usual_.size();
    column_bytes_ = formats::bytes_of(type, width);
    std::vector<double> factors;  // of the flips: negative for units that are usually above 0
    for (size_t i = 0; i < usual_.size(); ++i)
      factors.push_back((usual_[i] ? -1 : 1) * (1 - double{kLeakySlope}) * magnitudes_[i]);
    step_->columns = step_->name + ".columns";
    step_->flip_scale = step_->name + ".scale";
    if (is_integer(type)) step_->columns_scale = step_->columns + ".scale";
    pack.add_vector(step_->flip_scale, factors, padded_);
    pack.add_rows(step_->columns, type, columns, width);
  }

  /// Behind add_columns. The limit: as many columns as cost what the dense way does from here on.
  void add_dense_way(fbs::ElementType type, TensorPack& pack) {
    const Linear& linear = network_.hidden_layer(layer_ + 1);
    const double dense_bytes = static_cast<double>(layers_ - layer_) *
                               static_cast<double>(formats::bytes_of(type, linear.inputs * padded_));
    const double limit = dense_bytes / (kGatherCost * static_cast<double>(column_bytes_));
    const std::string name = step_->name + ".dense";
    step_->dense_way = std::make_unique<fbs::DenseWayT>();
    fbs::DenseWayT& way = *step_->dense_way;
    way.limit = static_cast<uint32_t>(std::min(limit, static_cast<double>(linear.inputs - 1)));
    way.weights = name + ".weights";
    if (type == fbs::ElementType::s8) {
      pack.add_quads(way.weights, linear.weight, linear.outputs, linear.inputs, kernels::kWidePanel);
      way.weights_scale = way.weights + ".scale";
      way.weights_sums = way.weights + ".sums";
    } else {
      pack.add_panels(way.weights, type, linear.weight, linear.outputs, linear.inputs, kernels::kWidePanel);
    }
    // A flip counts in units of its column's magnitude; the layer behind reads it normalised.
    const std::vector<double>& norm = network_.norms[layer_].scale;
    std::vector<double> flip(norm.size());
    std::vector<double> carried(norm.size());
    for (size_t i = 0; i < norm.size(); ++i) {
      flip[i] = norm[i] / magnitudes_[i];
      carried[i] = norm[i] * (usual_[i] ? 1.0 : double{kLeakySlope});
    }
    way.flip_scale = name + ".flip_scale";
    pack.add_vector(way.flip_scale, flip, padded_);
    if (layer_ > 0) {
      way.carried_scale = name + ".carried_scale";
      pack.add_vector(way.carried_scale, carried, padded_);
    } else if (layers_ == kFoldable) {  // the residual into the last layer
      way.residual_scale = way.flip_scale;
    }
  }

  std::unique_ptr<fbs::StepT> release() { return std::move(step_); }

 private:
  const Network& network_;
  const std::vector<bool>& usual_;
  size_t layer_;
  size_t layers_;
  uint64_t padded_;
  std::vector<double> magnitudes_;  // of the columns before they were scaled
  uint64_t column_bytes_ = 0;
  std::unique_ptr<fbs::StepT> step_;
};

}  // namespace

uint64_t skeleton_columns(uint64_t hidden, size_t layers) {
  return (layers + 1 + (reads_projection(layers) ? 1 : 0)) * round_up(hidden, kernels::kByteLane);
}

std::unique_ptr<fbs::PlanT> fold_skeleton(const Network& network, InputLayout& layout,
                                          const Frequent& frequent, const SketchTokens& tokens,
                                          const UsualSides& usual, size_t layers, const NarrowTypes& types,
                                          TensorPack& pack) {
  const FirstLayerTable dense(network, layout);
  const Skeleton skeleton(network, dense, usual, layers);
  auto plan = std::make_unique<fbs::PlanT>();
  plan->name = "skeleton" + std::to_string(layers);
  {
    const FirstLayerTable table = skeleton.table();
    add_first_layer(table, layout, frequent, tokens, types, narrow_columns(types, network.hidden(), layers),
                    *plan, pack);
    for (size_t b = 0; b * table.block() < table.stride(); ++b) {
      plan->blocks.push_back(
          block(b <= layers ? block_name(b) : "projection", b * table.block(), network.hidden()));
    }
  }
  for (size_t layer = 0; layer < layers; ++layer) {
    FlipStep step(network, usual, layer, layers);
    step.add_columns(skeleton.columns(layer), types.columns, pack);
    step.add_dense_way(types.hidden, pack);
    plan->steps.push_back(step.release());
  }
  add_dense_layers(network, layers, types, *plan, pack);
  return plan;
}

}  // namespace kinglet::converter
