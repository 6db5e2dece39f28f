#include "network.h"

#include <cmath>
#include <set>

#include "kinglet/formats/error.h"
#include "kinglet/request.h"

namespace kinglet::converter {
namespace {

constexpr double kNormEpsilon = 1e-5;
constexpr uint64_t kMaximumHidden = uint64_t{1} << 16;

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string text = "[";
  for (const uint64_t dimension : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dimension);
  }
  return text + "]";
}

bool is_floating(ElementType type) {
  return type == ElementType::f16 || type == ElementType::bf16 || type == ElementType::f32 ||
         type == ElementType::f64;
}

class Reader {
 public:
  Reader(const Checkpoint& checkpoint, const std::string& file) : checkpoint_(checkpoint), file_(file) {}

  Network run(TensorUse& use) {
    Network network;
    const std::vector<uint64_t>& first = find("l1.weight").shape;
    if (first.size() != 2)
      fail("l1.weight", "expected the shape [hidden, inputs], found " + shape_text(first));
    const uint64_t hidden = first[0];
    if (hidden == 0 || hidden > kMaximumHidden || first[1] == 0) {
      fail("l1.weight", "implausible shape " + shape_text(first));
    }
    network.l1 = linear("l1", hidden, first[1]);
    network.projection = linear("projection", hidden, first[1]);
    network.l2 = linear("l2", hidden, hidden);
    network.l3 = linear("l3", hidden, hidden);
    network.l4 = linear("l4", hidden, hidden);
    network.output = linear("l_output", kTargets, hidden);
    for (size_t i = 0; i < network.norms.size(); ++i)
      network.norms[i] = norm("bn" + std::to_string(i + 1), hidden);
    network.language = embedding("language", 1);
    network.hour = embedding("hour", 24);
    network.day = embedding("day", 31);
    network.parameters = parameters_;
    note_use(use);
    return network;
  }

 private:
  [[noreturn]] void fail(const std::string& tensor, const std::string& message) const {
    throw Error(file_, "tensor " + checkpoint_.key_prefix + tensor, message);
  }

  const Tensor& find(const std::string& name) {
    const auto found = checkpoint_.tensors.find(name);
    if (found == checkpoint_.tensors.end()) fail(name, "missing");
    used_.insert(name);
    return found->second;
  }

  std::vector<double> values(const std::string& name, const std::vector<uint64_t>& shape,
                             bool counts = true) {
    const Tensor& tensor = find(name);
    if (tensor.shape != shape) {
      fail(name, "expected the shape " + shape_text(shape) + ", found " + shape_text(tensor.shape));
    }
    if (!is_floating(tensor.type)) {
      fail(name, std::string("expected floating-point values, found ") + element_name(tensor.type));
    }
    std::vector<double> result = tensor.to_f64();
    for (size_t i = 0; i < result.size(); ++i) {
      if (!std::isfinite(result[i])) fail(name, "element " + std::to_string(i) + " is not finite");
    }
    if (counts) parameters_ += result.size();
    return result;
  }

  Linear linear(const std::string& name, uint64_t outputs, uint64_t inputs) {
    return {outputs, inputs, values(name + ".weight", {outputs, inputs}), values(name + ".bias", {outputs})};
  }

  Norm norm(const std::string& name, uint64_t width) {
    Norm norm{values(name + ".weight", {width}), values(name + ".bias", {width}), {}};
    norm.mean = norm.shift;
    const std::vector<double> mean = values(name + ".running_mean", {width}, false);
    const std::vector<double> variance = values(name + ".running_var", {width}, false);
    for (uint64_t i = 0; i < width; ++i) {
      if (variance[i] < 0) fail(name + ".running_var", "element " + std::to_string(i) + " is negative");
      norm.scale[i] /= std::sqrt(variance[i] + kNormEpsilon);
      norm.shift[i] -= mean[i] * norm.scale[i];
    }
    return norm;
  }

  EmbeddingTable embedding(const std::string& name, uint64_t categories_min) {
    const std::string full = name + ".weight";
    const std::vector<uint64_t>& shape = find(full).shape;
    if (shape.size() != 2 || shape[0] < categories_min || shape[1] == 0) {
      fail(full, "expected at least " + std::to_string(categories_min) + " rows of values, found " +
                     shape_text(shape));
    }
    return {shape[0], shape[1], values(full, shape)};
  }

  void note_use(TensorUse& use) const {
    for (const auto& [name, tensor] : checkpoint_.tensors) {
      const std::string what = std::string(element_name(tensor.type)) + " " + shape_text(tensor.shape);
      const std::string full = checkpoint_.key_prefix + name;
      const bool counter = name.ends_with(".num_batches_tracked") && name.starts_with("bn");
      if (used_.contains(name)) {
        use.used.emplace_back(full, what);
      } else {
        use.ignored.emplace_back(full, counter ? what + ", a counter of training steps" : what);
        if (!counter) use.unknown.push_back(full);
      }
    }
    for (const std::string& entry : checkpoint_.ignored) use.ignored.emplace_back(entry, "not a tensor");
  }

  const Checkpoint& checkpoint_;
  const std::string& file_;
  std::set<std::string> used_;
  uint64_t parameters_ = 0;
};

}  // namespace

Network read_network(const Checkpoint& checkpoint, const std::string& file, TensorUse& use) {
  return Reader(checkpoint, file).run(use);
}

}  // namespace kinglet::converter
