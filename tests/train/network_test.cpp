#include "network.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kinglet/converter/tensors.h"

#include "batch.h"
#include "optimiser.h"
#include "state_dict.h"
#include "support/npz.h"
#include "support/support.h"
#include "train/plain_trainer.h"

namespace {

using kinglet::converter::TensorMap;
using kinglet::test::NpzFile;
using kinglet::test::PlainBatch;
using kinglet::test::PlainStep;
using kinglet::test::PlainTensors;
using namespace kinglet::train;

constexpr size_t kBatchRows = 64;
constexpr size_t kSteps = 50;
constexpr double kRate = 1e-3;

/// Collects gradients instead of using them.
class Collector final : public GradientSink {
 public:
  explicit Collector(size_t size) : values(size), taken(size) {}
  void take(size_t offset, const float* gradient, size_t size) override {
    for (size_t i = 0; i < size; ++i) {
      values[offset + i] = gradient[i];
      ++taken[offset + i];
    }
  }
  std::vector<float> values;
  std::vector<int> taken;
};

/// The rows of golden/train_50steps.npz as batches in stored order.
class GoldenRows {
 public:
  explicit GoldenRows(const NpzFile& file)
      : x_(file.f32("X")),
        categories_{file.i64("language"), file.i64("hour"), file.i64("day")},
        labels_(file.f32("labels")) {
    shape.hidden = 32;
    shape.sketch = 4 * 16;
    shape.plain = 3 * 16 + 12;
    shape.languages = 6;
  }

  Batch batch(size_t step) const {
    Batch batch(shape);
    batch.resize(kBatchRows);
    const size_t width = shape.sketch + shape.plain;
    for (size_t b = 0; b < kBatchRows; ++b) {
      const size_t row = step * kBatchRows + b;
      const float* x = x_.data() + row * width;
      for (uint32_t i = 0; i < shape.sketch; ++i) {
        if (x[i] == 0) continue;
        batch.sketch.inputs.push_back(i);
        batch.sketch.values.push_back(x[i]);
      }
      batch.sketch.end_row();
      std::copy(x + shape.sketch, x + width, batch.plain(b));
      for (size_t t = 0; t < 3; ++t) batch.categories[b][t] = static_cast<uint32_t>(categories_[t][row]);
      std::copy_n(labels_.data() + row * 4, 4, batch.labels[b].begin());
    }
    return batch;
  }

  PlainBatch plain_batch(size_t step) const {
    PlainBatch batch;
    batch.rows = kBatchRows;
    batch.inputs = shape.sketch + shape.plain;
    const size_t first = step * kBatchRows;
    batch.x.assign(x_.begin() + static_cast<ptrdiff_t>(first * batch.inputs),
                   x_.begin() + static_cast<ptrdiff_t>((first + kBatchRows) * batch.inputs));
    for (size_t t = 0; t < 3; ++t) {
      for (size_t b = 0; b < kBatchRows; ++b) {
        batch.categories[t].push_back(static_cast<size_t>(categories_[t][first + b]));
      }
    }
    batch.labels.assign(labels_.begin() + static_cast<ptrdiff_t>(first * 4),
                        labels_.begin() + static_cast<ptrdiff_t>((first + kBatchRows) * 4));
    return batch;
  }

  NetworkShape shape;

 private:
  std::vector<float> x_;
  std::vector<int64_t> categories_[3];
  std::vector<float> labels_;
};

TensorMap with_prefix(const NpzFile& file, const std::string& prefix) {
  TensorMap tensors;
  for (const std::string& name : file.names()) {
    if (name.starts_with(prefix)) tensors.emplace(name.substr(prefix.size()), file.tensor(name));
  }
  return tensors;
}

void load(const TensorMap& tensors, Network& network) {
  from_state_dict(tensors, "golden", network.layout(),
                  {network.parameters().data(), network.parameters().size()});
  read_statistics(tensors, "golden", network.layout(), network.statistics());
}

TensorMap state_of(const Network& network) {
  TensorMap tensors =
      to_state_dict(network.layout(), {network.parameters().data(), network.parameters().size()});
  add_statistics(network.layout(), network.statistics(), tensors);
  return tensors;
}

double largest(const std::vector<double>& values) {
  double result = 0;
  for (const double value : values) result = std::max(result, std::abs(value));
  return result;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double result = 0;
  for (size_t i = 0; i < a.size(); ++i) result = std::max(result, std::abs(a[i] - b[i]));
  return result;
}

PlainTensors plain_copy(const TensorMap& tensors) {
  PlainTensors result;
  for (const auto& [name, tensor] : tensors) result.emplace(name, tensor.to_f64());
  return result;
}

/// Without moments AdamW's step is rate x g / |g|, however small the gradient is beside its rounding errors:
/// such elements are no measure of the first step.
void leave_out_small_gradients(const std::string& name, const PlainTensors& gradients,
                               const PlainTensors& expected, std::vector<double>& values) {
  const auto found = gradients.find(name);
  if (found == gradients.end()) return;
  const double bound = 1e-3 * largest(found->second);
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::abs(found->second[i]) < bound) values[i] = expected.at(name)[i];
  }
}

}  // namespace

TEST_CASE("the published program's first gradients") {
  REQUIRE_SHARED(shared);
  const NpzFile file(shared / "golden/train_50steps.npz");
  const GoldenRows rows(file);
  Network network(rows.shape, kBatchRows);
  load(with_prefix(file, "init/"), network);
  Collector collector(network.layout().total());
  Batch batch = rows.batch(0);
  network.train(batch, collector);
  size_t tensors = 0;
  for (const auto& entry : to_state_dict(network.layout(), collector.values)) {
    const auto& name = entry.first;
    const auto& tensor = entry.second;
    INFO(name);
    const std::vector<double> expected = file.f64("grad0/" + name);
    CHECK(largest_difference(tensor.to_f64(), expected) <= 1e-4 * largest(expected));
    ++tensors;
  }
  CHECK(tensors == 23);
}

TEST_CASE("the published program's 50 losses") {
  REQUIRE_SHARED(shared);
  const NpzFile file(shared / "golden/train_50steps.npz");
  const GoldenRows rows(file);
  Network network(rows.shape, kBatchRows);
  load(with_prefix(file, "init/"), network);
  Optimiser optimiser(network.parameters(), {});
  const std::vector<double> losses = file.f64("losses");
  REQUIRE(losses.size() == kSteps);
  for (size_t i = 0; i < kSteps; ++i) {
    Batch batch = rows.batch(i);
    optimiser.begin_step(kRate);
    const double loss = network.train(batch, optimiser);
    INFO("step " << i);
    CHECK(std::abs(loss - losses[i]) <= (i < 10 ? 1e-5 : 5e-3) * losses[i]);
  }
  const TensorMap state = state_of(network);
  CHECK(state.at("bn1.num_batches_tracked").to_f64() == file.f64("final/bn1.num_batches_tracked"));
  // Statistics average over the drift of single weights.
  for (const std::string name :
       {"bn1.running_mean", "bn1.running_var", "bn4.running_mean", "bn4.running_var"}) {
    INFO(name);
    const std::vector<double> expected = file.f64("final/" + name);
    CHECK(largest_difference(state.at(name).to_f64(), expected) <= 1e-2 * largest(expected));
  }
}

TEST_CASE("one step from a stored state is that of a float64 trainer, at any step") {
  REQUIRE_SHARED(shared);
  const NpzFile file(shared / "golden/train_50steps.npz");
  const GoldenRows rows(file);
  Network network(rows.shape, kBatchRows);
  load(with_prefix(file, "init/"), network);
  Optimiser optimiser(network.parameters(), {});
  for (size_t i = 0; i < kSteps; ++i) {
    PlainTensors state = plain_copy(state_of(network));
    const ParameterLayout& layout = network.layout();
    PlainTensors first = plain_copy(
        to_state_dict(layout, {optimiser.first_moments().data(), optimiser.first_moments().size()}));
    PlainTensors second = plain_copy(
        to_state_dict(layout, {optimiser.second_moments().data(), optimiser.second_moments().size()}));
    const PlainStep plain = plain_gradients(state, rows.plain_batch(i));
    kinglet::test::plain_adamw(state, plain.gradients, first, second, kRate, i + 1);

    Batch batch = rows.batch(i);
    optimiser.begin_step(kRate);
    const double loss = network.train(batch, optimiser);
    INFO("step " << i);
    CHECK(std::abs(loss - plain.loss) <= 1e-6);
    for (const auto& entry : state_of(network)) {
      const auto& name = entry.first;
      const auto& tensor = entry.second;
      if (name.ends_with("num_batches_tracked")) continue;
      INFO(name);
      std::vector<double> values = tensor.to_f64();
      if (i == 0) leave_out_small_gradients(name, plain.gradients, state, values);
      CHECK(largest_difference(values, state.at(name)) <= 1e-5);
    }
  }
}

namespace {

/// Random rows of a network whose sizes are no multiple of anything.
Batch random_batch(const NetworkShape& shape, size_t rows, uint32_t seed) {
  std::mt19937 random(seed);
  const auto uniform = [&] { return static_cast<float>(random()) / 4294967296.0F; };
  Batch batch(shape);
  batch.resize(rows);
  for (size_t b = 0; b < rows; ++b) {
    for (uint32_t i = 0; i < shape.sketch; ++i) {
      if (random() % 5 != 0) continue;
      batch.sketch.inputs.push_back(i);
      batch.sketch.values.push_back(uniform());
    }
    batch.sketch.end_row();
    for (uint32_t i = 0; i < shape.plain; ++i) batch.plain(b)[i] = uniform() - 0.5F;
    batch.categories[b] = {static_cast<uint32_t>(random() % shape.languages),
                           static_cast<uint32_t>(random() % 24), static_cast<uint32_t>(random() % 31)};
    for (float& label : batch.labels[b]) label = random() % 3 == 0 ? 1.0F : 0.0F;
  }
  return batch;
}

PlainBatch plain(const Batch& batch) {
  PlainBatch result;
  result.rows = batch.rows();
  result.inputs = batch.shape.sketch + batch.shape.plain;
  result.x.assign(result.rows * result.inputs, 0);
  for (size_t b = 0; b < result.rows; ++b) {
    double* x = result.x.data() + b * result.inputs;
    for (size_t i = batch.sketch.row_start[b]; i < batch.sketch.row_start[b + 1]; ++i) {
      x[batch.sketch.inputs[i]] = static_cast<double>(batch.sketch.values[i]);
    }
    for (size_t i = 0; i < batch.shape.plain; ++i) {
      x[batch.shape.sketch + i] = static_cast<double>(batch.dense[b * batch.shape.dense() + i]);
    }
    for (size_t t = 0; t < 3; ++t) result.categories[t].push_back(batch.categories[b][t]);
    for (const float label : batch.labels[b]) result.labels.push_back(static_cast<double>(label));
  }
  return result;
}

void fill_random(Network& network, uint32_t seed) {
  std::mt19937 random(seed);
  TensorMap tensors = state_of(network);
  for (auto& [name, tensor] : tensors) {
    if (name.ends_with("num_batches_tracked")) continue;
    auto* values = reinterpret_cast<float*>(tensor.bytes.data());
    const float base =
        name.starts_with("bn") && !name.ends_with("bias") && !name.ends_with("mean") ? 1.0F : 0.0F;
    for (size_t i = 0; i < tensor.elements(); ++i) {
      values[i] = base + (static_cast<float>(random()) / 4294967296.0F - 0.5F) * 0.4F;
    }
  }
  load(tensors, network);
}

}  // namespace

TEST_CASE("gradients and logits of odd sizes against float64") {
  const NetworkShape shapes[] = {
      {33, 7, 5, 2}, {1, 1, 1, 1}, {50, 300, 29, 4}, {32, 0, 16, 3}, {70, 129, 1, 2}};
  uint32_t seed = 1;
  for (const NetworkShape& shape : shapes) {
    for (const size_t rows : {size_t{2}, size_t{3}, size_t{61}}) {
      CAPTURE(shape.hidden);
      CAPTURE(rows);
      const double flip_penalty = seed % 4 < 2 ? 0 : 0.5;
      CAPTURE(flip_penalty);
      Network network(shape, 61, flip_penalty);
      fill_random(network, ++seed);
      Batch batch = random_batch(shape, rows, ++seed);
      PlainTensors state = plain_copy(state_of(network));
      const float* logits = network.infer(batch);
      const std::vector<double> expected = plain_logits(state, shape.hidden, plain(batch));
      for (size_t i = 0; i < expected.size(); ++i)
        CHECK(std::abs(static_cast<double>(logits[i]) - expected[i]) < 1e-4);

      Collector collector(network.layout().total());
      const double loss = network.train(batch, collector);
      const PlainStep step = plain_gradients(state, plain(batch), flip_penalty);
      CHECK(std::abs(loss - step.loss) < 1e-5);
      CHECK(*std::max_element(collector.taken.begin(), collector.taken.end()) == 1);
      for (const auto& entry : to_state_dict(network.layout(), collector.values)) {
        const auto& name = entry.first;
        const auto& tensor = entry.second;
        INFO(name);
        // Two rows give normalised values of +-1 and gradients that nearly cancel: an absolute bound beside.
        CHECK(largest_difference(tensor.to_f64(), step.gradients.at(name)) <=
              1e-4 * largest(step.gradients.at(name)) + (rows == 2 ? 1e-3 : 1e-6));
      }
    }
  }
}

TEST_CASE("training gives the same bits again, and padding stays zero") {
  const NetworkShape shape{45, 100, 20, 3};
  std::vector<uint32_t> results[2];
  for (std::vector<uint32_t>& result : results) {
    Network network(shape, 37);
    fill_random(network, 5);
    Optimiser optimiser(network.parameters(), {});
    for (uint32_t i = 0; i < 5; ++i) {
      Batch batch = random_batch(shape, i == 3 ? 11 : 37, i);
      optimiser.begin_step(1e-2);
      network.train(batch, optimiser);
    }
    for (const float value : network.parameters()) result.push_back(std::bit_cast<uint32_t>(value));
    // What the state dict does not hold is padding: writing the state dict into zeros gives the array itself.
    const TensorMap state = state_of(network);
    std::vector<float> copy(network.layout().total());
    from_state_dict(state, "copy", network.layout(), copy);
    CHECK(std::equal(copy.begin(), copy.end(), network.parameters().begin()));
  }
  CHECK(results[0] == results[1]);
}

TEST_CASE("a loss that is not a number hands over no gradient") {
  const NetworkShape shape{8, 10, 4, 2};
  Network network(shape, 4);
  fill_random(network, 3);
  Batch batch = random_batch(shape, 4, 9);
  batch.plain(2)[1] = std::nanf("");
  Collector collector(network.layout().total());
  CHECK_FALSE(std::isfinite(network.train(batch, collector)));
  CHECK(*std::max_element(collector.taken.begin(), collector.taken.end()) == 0);
}

TEST_CASE("state dicts with a missing tensor or another shape are refused") {
  Network network({8, 10, 4, 2}, 4);
  TensorMap state = state_of(network);
  std::vector<float> values(network.layout().total());
  TensorMap missing = state;
  missing.erase("l3.bias");
  CHECK(kinglet::test::error_of([&] { from_state_dict(missing, "w", network.layout(), values); }) ==
        "w: tensor l3.bias: missing");
  TensorMap other = state;
  other["language.weight"].shape = {20, 2};
  CHECK(kinglet::test::error_of([&] { from_state_dict(other, "w", network.layout(), values); }) ==
        "w: tensor language.weight: shape [20, 2], expected [2, 20]");
}

TEST_CASE("rows weigh in the loss and its gradient as they are told") {
  const NetworkShape shape{20, 12, 9, 2};
  constexpr size_t kRows = 5;
  Network network(shape, kRows);
  fill_random(network, 3);
  Batch batch = random_batch(shape, kRows, 4);
  const auto train = [&](const std::vector<double>& weights) {
    batch.weights = weights;
    Collector collector(network.layout().total());
    const double loss = network.train(batch, collector);
    return std::pair(loss, std::vector<float>(collector.values.begin(), collector.values.end()));
  };
  const std::vector<double> weights{0.25, 3, 0, 1.5, 0.75};
  double loss = 0;
  std::vector<double> gradient(network.layout().total());
  for (size_t row = 0; row < kRows; ++row) {
    std::vector<double> one(kRows);
    one[row] = 1;
    const auto alone = train(one);
    loss += weights[row] * alone.first;
    for (size_t i = 0; i < gradient.size(); ++i) {
      gradient[i] += weights[row] * static_cast<double>(alone.second[i]);
    }
  }
  const auto together = train(weights);
  CHECK(std::abs(together.first - loss) < 1e-12);
  double largest_error = 0;
  for (size_t i = 0; i < gradient.size(); ++i) {
    largest_error = std::max(largest_error, std::abs(static_cast<double>(together.second[i]) - gradient[i]));
  }
  CHECK(largest_error < 1e-5);
  const auto unit = train(std::vector<double>(kRows, 1));
  const auto none = train({});
  CHECK(unit == none);
}
