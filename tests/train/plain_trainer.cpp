#include "plain_trainer.h"

#include <cmath>

namespace kinglet::test {
namespace {

constexpr size_t kEmbedding = 20;
constexpr double kEpsilon = 1e-5;
using Values = std::vector<double>;  // [rows][columns]

double leaky(double x) {
  return x > 0 ? x : 0.01 * x;
}

/// x W^T + b.
Values linear(const Values& x, const Values& weight, const Values& bias, size_t rows) {
  const size_t outputs = bias.size();
  const size_t inputs = weight.size() / outputs;
  Values y(rows * outputs);
  for (size_t b = 0; b < rows; ++b) {
    for (size_t o = 0; o < outputs; ++o) {
      double sum = bias[o];
      for (size_t i = 0; i < inputs; ++i) sum += weight[o * inputs + i] * x[b * inputs + i];
      y[b * outputs + o] = sum;
    }
  }
  return y;
}

/// The gradients of a linear layer; returns that of its input.
Values linear_backward(const Values& x, const Values& weight, const Values& dy, size_t rows, Values& dweight,
                       Values& dbias) {
  const size_t outputs = dy.size() / rows;
  const size_t inputs = weight.size() / outputs;
  dweight.assign(weight.size(), 0);
  dbias.assign(outputs, 0);
  Values dx(rows * inputs, 0.0);
  for (size_t b = 0; b < rows; ++b) {
    for (size_t o = 0; o < outputs; ++o) {
      const double d = dy[b * outputs + o];
      dbias[o] += d;
      for (size_t i = 0; i < inputs; ++i) {
        dweight[o * inputs + i] += d * x[b * inputs + i];
        dx[b * inputs + i] += d * weight[o * inputs + i];
      }
    }
  }
  return dx;
}

struct Norm {
  Values a;  // its input
  Values mean;
  Values inverse;
};

Values norm(const std::string& name, PlainTensors& state, Norm& kept, size_t rows) {
  const size_t size = kept.a.size() / rows;
  kept.mean.assign(size, 0);
  kept.inverse.assign(size, 0);
  Values out(kept.a.size());
  for (size_t j = 0; j < size; ++j) {
    double mean = 0;
    for (size_t b = 0; b < rows; ++b) mean += kept.a[b * size + j] / static_cast<double>(rows);
    double squares = 0;
    for (size_t b = 0; b < rows; ++b) squares += std::pow(kept.a[b * size + j] - mean, 2);
    kept.mean[j] = mean;
    kept.inverse[j] = 1 / std::sqrt(squares / static_cast<double>(rows) + kEpsilon);
    double& running_mean = state.at(name + ".running_mean")[j];
    double& running_variance = state.at(name + ".running_var")[j];
    running_mean += 0.1 * (mean - running_mean);
    running_variance += 0.1 * (squares / static_cast<double>(rows - 1) - running_variance);
    for (size_t b = 0; b < rows; ++b) {
      out[b * size + j] = (kept.a[b * size + j] - mean) * kept.inverse[j] * state.at(name + ".weight")[j] +
                          state.at(name + ".bias")[j];
    }
  }
  return out;
}

/// Through normalisation and activation.
Values norm_backward(const std::string& name, const PlainTensors& state, const Norm& kept, const Values& dy,
                     size_t rows, PlainTensors& gradients) {
  const size_t size = kept.mean.size();
  Values dz(dy.size());
  Values& dscale = gradients[name + ".weight"];
  Values& dshift = gradients[name + ".bias"];
  dscale.assign(size, 0);
  dshift.assign(size, 0);
  for (size_t j = 0; j < size; ++j) {
    const auto unit = [&](size_t b) { return (kept.a[b * size + j] - kept.mean[j]) * kept.inverse[j]; };
    for (size_t b = 0; b < rows; ++b) {
      dshift[j] += dy[b * size + j];
      dscale[j] += dy[b * size + j] * unit(b);
    }
    const auto n = static_cast<double>(rows);
    for (size_t b = 0; b < rows; ++b) {
      const double da = state.at(name + ".weight")[j] * kept.inverse[j] *
                        (dy[b * size + j] - dshift[j] / n - unit(b) * dscale[j] / n);
      dz[b * size + j] = kept.a[b * size + j] > 0 ? da : 0.01 * da;
    }
  }
  return dz;
}

/// The gradient of `strength` x mean over rows and units of max(-z, 0) / deviation.
void penalise_flips(const Norm& kept, double strength, size_t rows, Values& dz) {
  const size_t size = kept.mean.size();
  for (size_t i = 0; i < dz.size(); ++i) {
    if (kept.a[i] < 0) dz[i] -= strength * kept.inverse[i % size] / static_cast<double>(rows * size);
  }
}

Values with_embeddings(const PlainTensors& state, const PlainBatch& batch) {
  const size_t width = batch.inputs + 3 * kEmbedding;
  const std::string names[3] = {"language.weight", "hour.weight", "day.weight"};
  Values x(batch.rows * width);
  for (size_t b = 0; b < batch.rows; ++b) {
    for (size_t i = 0; i < batch.inputs; ++i) x[b * width + i] = batch.x[b * batch.inputs + i];
    for (size_t t = 0; t < 3; ++t) {
      for (size_t j = 0; j < kEmbedding; ++j) {
        x[b * width + batch.inputs + t * kEmbedding + j] =
            state.at(names[t])[batch.categories[t][b] * kEmbedding + j];
      }
    }
  }
  return x;
}

Values sum(const Values& a, const Values& b) {
  Values result(a);
  for (size_t i = 0; i < a.size(); ++i) result[i] += b[i];
  return result;
}

Values leaky(Values values) {
  for (double& value : values) value = leaky(value);
  return values;
}

Values linear(const PlainTensors& state, const std::string& name, const Values& x, size_t rows) {
  return linear(x, state.at(name + ".weight"), state.at(name + ".bias"), rows);
}

Values linear_backward(const PlainTensors& state, const std::string& name, const Values& x, const Values& dy,
                       size_t rows, PlainTensors& gradients) {
  return linear_backward(x, state.at(name + ".weight"), dy, rows, gradients[name + ".weight"],
                         gradients[name + ".bias"]);
}

/// The loss; logits become their gradients.
double loss_of(const PlainBatch& batch, Values& logits) {
  double loss = 0;
  const auto n = static_cast<double>(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    const double y = logits[i];
    const double label = batch.labels[i];
    loss += (std::log1p(std::exp(-std::abs(y))) + std::fmax(y, 0) - y * label) / n;
    logits[i] = (1 / (1 + std::exp(-y)) - label) / n;
  }
  return loss;
}

void embedding_backward(const PlainBatch& batch, const Values& dx, PlainStep& step,
                        const PlainTensors& state) {
  const std::string names[3] = {"language.weight", "hour.weight", "day.weight"};
  const size_t width = batch.inputs + 3 * kEmbedding;
  for (size_t t = 0; t < 3; ++t) {
    Values& gradient = step.gradients[names[t]];
    gradient.assign(state.at(names[t]).size(), 0);
    for (size_t b = 0; b < batch.rows; ++b) {
      for (size_t j = 0; j < kEmbedding; ++j) {
        gradient[batch.categories[t][b] * kEmbedding + j] +=
            dx[b * width + batch.inputs + t * kEmbedding + j];
      }
    }
  }
}

}  // namespace

PlainStep plain_gradients(PlainTensors& state, const PlainBatch& batch, double flip_penalty) {
  const size_t rows = batch.rows;
  const Values x = with_embeddings(state, batch);
  const Values p = linear(state, "projection", x, rows);
  Norm n1{leaky(linear(state, "l1", x, rows)), {}, {}};
  const Values x1 = norm("bn1", state, n1, rows);
  Norm n2{leaky(sum(linear(state, "l2", x1, rows), p)), {}, {}};
  const Values x2 = norm("bn2", state, n2, rows);
  Norm n3{leaky(sum(linear(state, "l3", x2, rows), p)), {}, {}};
  const Values x3 = norm("bn3", state, n3, rows);
  Norm n4{leaky(sum(linear(state, "l4", x3, rows), x1)), {}, {}};
  const Values x4 = norm("bn4", state, n4, rows);
  Values logits = linear(state, "l_output", x4, rows);

  PlainStep step;
  step.loss = loss_of(batch, logits);
  PlainTensors& g = step.gradients;
  const Values dx4 = linear_backward(state, "l_output", x4, logits, rows, g);
  const Values dz4 = norm_backward("bn4", state, n4, dx4, rows, g);
  Values dz3 = norm_backward("bn3", state, n3, linear_backward(state, "l4", x3, dz4, rows, g), rows, g);
  penalise_flips(n3, flip_penalty, rows, dz3);
  Values dz2 = norm_backward("bn2", state, n2, linear_backward(state, "l3", x2, dz3, rows, g), rows, g);
  penalise_flips(n2, flip_penalty, rows, dz2);
  const Values dx1 = sum(dz4, linear_backward(state, "l2", x1, dz2, rows, g));
  Values dz1 = norm_backward("bn1", state, n1, dx1, rows, g);
  penalise_flips(n1, flip_penalty, rows, dz1);
  const Values dx = sum(linear_backward(state, "l1", x, dz1, rows, g),
                        linear_backward(state, "projection", x, sum(dz2, dz3), rows, g));
  embedding_backward(batch, dx, step, state);
  return step;
}

std::vector<double> plain_logits(const PlainTensors& state, size_t hidden, const PlainBatch& batch) {
  const size_t rows = batch.rows;
  const auto infer = [&](const std::string& name, Values values) {
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t j = i % hidden;
      values[i] = (values[i] - state.at(name + ".running_mean")[j]) /
                      std::sqrt(state.at(name + ".running_var")[j] + kEpsilon) *
                      state.at(name + ".weight")[j] +
                  state.at(name + ".bias")[j];
    }
    return values;
  };
  const Values x = with_embeddings(state, batch);
  const Values p = linear(state, "projection", x, rows);
  const Values x1 = infer("bn1", leaky(linear(state, "l1", x, rows)));
  const Values x2 = infer("bn2", leaky(sum(linear(state, "l2", x1, rows), p)));
  const Values x3 = infer("bn3", leaky(sum(linear(state, "l3", x2, rows), p)));
  const Values x4 = infer("bn4", leaky(sum(linear(state, "l4", x3, rows), x1)));
  return linear(state, "l_output", x4, rows);
}

void plain_adamw(PlainTensors& state, const PlainTensors& gradients, PlainTensors& first,
                 PlainTensors& second, double rate, uint64_t step) {
  const double correction1 = 1 - std::pow(0.9, static_cast<double>(step));
  const double correction2 = 1 - std::pow(0.999, static_cast<double>(step));
  for (const auto& [name, gradient] : gradients) {
    Values& values = state.at(name);
    Values& m = first[name];
    Values& v = second[name];
    m.resize(values.size());
    v.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      m[i] = 0.9 * m[i] + 0.1 * gradient[i];
      v[i] = 0.999 * v[i] + 0.001 * gradient[i] * gradient[i];
      values[i] -= rate * 0.01 * values[i];
      values[i] -= rate * (m[i] / correction1) / (std::sqrt(v[i] / correction2) + 1e-8);
    }
  }
}

}  // namespace kinglet::test
