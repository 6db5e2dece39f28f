#include "network_oracle.h"

#include <cmath>

namespace kinglet::test {
namespace {

void make_leaky(std::vector<double>& x) {
  for (double& value : x) value = value > 0 ? value : 0.01 * value;
}

void add(std::vector<double>& x, const std::vector<double>& y) {
  for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
}

}  // namespace

NetworkOracle::NetworkOracle(std::map<std::string, std::vector<double>> tensors, Codes codes, size_t depth,
                             size_t width)
    : tensors_(std::move(tensors)), codes_(std::move(codes)), depth_(depth), width_(width) {}

std::vector<double> NetworkOracle::input(const OracleRequest& request) const {
  std::vector<double> in(depth_ * width_);
  for (size_t t = 1; t + 1 < request.tokens.size(); ++t) {
    const auto found = codes_.find(request.tokens[t]);
    if (found == codes_.end()) continue;
    for (const uint32_t code : found->second) in[code] += 1;
  }
  for (size_t d = 0; d < depth_; ++d) {
    double square_sum = 0;
    for (size_t w = 0; w < width_; ++w) square_sum += in[d * width_ + w] * in[d * width_ + w];
    if (square_sum == 0) continue;
    for (size_t w = 0; w < width_; ++w) in[d * width_ + w] /= std::sqrt(square_sum);
  }
  for (const double x : request.numerics) {
    for (int i = -1; i <= 6; ++i) in.push_back(std::sin(x / std::pow(2.0, i)));
    for (int i = -1; i <= 6; ++i) in.push_back(std::cos(x / std::pow(2.0, i)));
  }
  for (const int flag : request.flags) in.push_back(flag);
  return in;
}

std::array<double, 4> NetworkOracle::logits(std::vector<double> in,
                                            const std::array<uint32_t, 3>& categories) const {
  const char* tables[] = {"language.weight", "hour.weight", "day.weight"};
  for (size_t e = 0; e < 3; ++e) {
    const std::vector<double>& table = tensor(tables[e]);
    for (size_t i = 0; i < 20; ++i) in.push_back(table[categories[e] * 20 + i]);
  }
  const std::vector<double> projected = linear("projection", in);
  std::vector<double> x1 = linear("l1", in);
  make_leaky(x1);
  x1 = norm("bn1", x1);
  std::vector<double> x = linear("l2", x1);
  add(x, projected);
  make_leaky(x);
  x = linear("l3", norm("bn2", x));
  add(x, projected);
  make_leaky(x);
  x = linear("l4", norm("bn3", x));
  add(x, x1);
  make_leaky(x);
  x = linear("l_output", norm("bn4", x));
  return {x[0], x[1], x[2], x[3]};
}

std::vector<double> NetworkOracle::linear(const std::string& name, const std::vector<double>& in) const {
  const std::vector<double>& weight = tensor(name + ".weight");
  std::vector<double> out = tensor(name + ".bias");
  for (size_t o = 0; o < out.size(); ++o) {
    double sum = 0;
    for (size_t i = 0; i < in.size(); ++i) sum += weight[o * in.size() + i] * in[i];
    out[o] += sum;
  }
  return out;
}

std::vector<double> NetworkOracle::norm(const std::string& name, std::vector<double> x) const {
  for (size_t i = 0; i < x.size(); ++i) {
    const double deviation = std::sqrt(tensor(name + ".running_var")[i] + 1e-5);
    x[i] = (x[i] - tensor(name + ".running_mean")[i]) / deviation * tensor(name + ".weight")[i] +
           tensor(name + ".bias")[i];
  }
  return x;
}

}  // namespace kinglet::test
