// Peers of the engine that are libraries of C: the network in fp32 by oneDNN's inner products, or by
// OpenBLAS's sgemv (sgemm where several rows go at once), from dense inputs. usage: inference_peers
// onednn|openblas WEIGHTS INPUTS   (files of safetensors; INPUTS: from dense_inputs) Prints a line of JSON
// that says what it is, then answers lines of standard input with one line of JSON each:
//   logits BATCH       {"logits": [...]} of all rows, BATCH at a time
//   time BATCH CALLS   {"us": [...]}: microseconds of each call

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include <dlfcn.h>

#ifdef KINGLET_PEER_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif

#include "kinglet/converter/tensors.h"

namespace {

using kinglet::converter::Tensor;
using kinglet::converter::TensorMap;

constexpr float kSlope = 0.01F;
constexpr double kNormEpsilon = 1e-5;
constexpr size_t kLogits = 4;
constexpr int kWarmUp = 3;  // calls before those that count: the caches are another process's until then

[[noreturn]] void fail(const std::string& message) {
  throw std::runtime_error(message);
}

/// A checkpoint's tensors by name.
class Tensors {
 public:
  explicit Tensors(const std::string& path) : tensors_(kinglet::converter::read_checkpoint(path).tensors) {}
  std::vector<float> values(const std::string& name) const { return find(name).to_f32(); }
  size_t dimension(const std::string& name, size_t i) const { return find(name).shape.at(i); }

 private:
  const Tensor& find(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail("the weights lack " + name);
    return found->second;
  }
  TensorMap tensors_;
};

struct Dense {
  Dense(const Tensors& tensors, const std::string& name)
      : outputs(tensors.dimension(name + ".weight", 0)),
        inputs(tensors.dimension(name + ".weight", 1)),
        weights(tensors.values(name + ".weight")),
        bias(tensors.values(name + ".bias")) {}
  size_t outputs, inputs;
  std::vector<float> weights, bias;
};

/// Batch normalisation with its running statistics: scale * x + shift.
struct Norm {
  Norm(const Tensors& tensors, const std::string& name)
      : scale(tensors.values(name + ".weight")), shift(tensors.values(name + ".bias")) {
    const std::vector<float> mean = tensors.values(name + ".running_mean");
    const std::vector<float> variance = tensors.values(name + ".running_var");
    for (size_t i = 0; i < scale.size(); ++i) {
      const double factor = scale[i] / std::sqrt(static_cast<double>(variance[i]) + kNormEpsilon);
      shift[i] = static_cast<float>(shift[i] - mean[i] * factor);
      scale[i] = static_cast<float>(factor);
    }
  }
  std::vector<float> scale, shift;
};

struct Weights {
  explicit Weights(const Tensors& t)
      : l1(t, "l1"),
        projection(t, "projection"),
        l2(t, "l2"),
        l3(t, "l3"),
        l4(t, "l4"),
        output(t, "l_output"),
        bn1(t, "bn1"),
        bn2(t, "bn2"),
        bn3(t, "bn3"),
        bn4(t, "bn4"),
        embeddings{t.values("language.weight"), t.values("hour.weight"), t.values("day.weight")},
        embedding_width(t.dimension("hour.weight", 1)) {}
  Dense l1, projection, l2, l3, l4, output;
  Norm bn1, bn2, bn3, bn4;
  std::array<std::vector<float>, 3> embeddings;
  size_t embedding_width;
};

/// The rows of dense_inputs.
struct Rows {
  explicit Rows(const std::string& path) {
    const TensorMap tensors = kinglet::converter::read_checkpoint(path).tensors;
    const Tensor& dense = tensors.at("inputs");
    count = dense.shape.at(0);
    width = dense.shape.at(1);
    inputs = dense.to_f32();
    for (const double category : tensors.at("categories").to_f64()) {
      categories.push_back(static_cast<size_t>(category));
    }
  }
  size_t count, width;
  std::vector<float> inputs;
  std::vector<size_t> categories;
};

/// One runtime's way to compute the network for a fixed number of rows.
class Network {
 public:
  virtual ~Network() = default;
  /// Where the caller puts [rows][inputs of the first layer].
  virtual float* input() = 0;
  virtual void run() = 0;
  /// [rows][kLogits], after run().
  virtual const float* logits() const = 0;
};

// --- OpenBLAS
// ---------------------------------------------------------------------------------------------------

/// Found at run time: its headers need not be here. Enumerators as in cblas.h.
class OpenBlas {
 public:
  OpenBlas() {
    void* library = ::dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) fail("libopenblas.so.0 is not installed");
    const auto find = [library](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
      if (function == nullptr) fail(std::string("libopenblas.so.0 lacks ") + name);
    };
    find(sgemv_, "cblas_sgemv");
    find(sgemm_, "cblas_sgemm");
    find(config_, "openblas_get_config");
  }

  std::string version() const { return config_(); }

  /// out[rows][outputs] += in[rows][inputs] weights^T.
  void add_product(const Dense& layer, const float* in, size_t rows, float* out) const {
    const int outputs = static_cast<int>(layer.outputs);
    const int inputs = static_cast<int>(layer.inputs);
    if (rows == 1) {
      sgemv_(kRowMajor, kPlain, outputs, inputs, 1, layer.weights.data(), inputs, in, 1, 1, out, 1);
    } else {
      sgemm_(kRowMajor, kPlain, kTransposed, static_cast<int>(rows), outputs, inputs, 1, in, inputs,
             layer.weights.data(), inputs, 1, out, outputs);
    }
  }

 private:
  static constexpr int kRowMajor = 101;
  static constexpr int kPlain = 111;
  static constexpr int kTransposed = 112;
  void (*sgemv_)(int, int, int, int, float, const float*, int, const float*, int, float, float*,
                 int) = nullptr;
  void (*sgemm_)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*,
                 int) = nullptr;
  const char* (*config_)() = nullptr;
};

class OpenBlasNetwork : public Network {
 public:
  OpenBlasNetwork(const OpenBlas& blas, const Weights& weights, size_t rows)
      : blas_(blas), weights_(weights), rows_(rows), x_(rows * weights.l1.inputs) {}

  float* input() override { return x_.data(); }
  const float* logits() const override { return y_.data(); }

  void run() override {
    product(weights_.projection, x_, p_);
    product(weights_.l1, x_, x1_);
    finish(nullptr, weights_.bn1, x1_);
    product(weights_.l2, x1_, x2_);
    finish(&p_, weights_.bn2, x2_);
    product(weights_.l3, x2_, x3_);
    finish(&p_, weights_.bn3, x3_);
    product(weights_.l4, x3_, x4_);
    finish(&x1_, weights_.bn4, x4_);
    product(weights_.output, x4_, y_);
  }

 private:
  void product(const Dense& layer, const std::vector<float>& in, std::vector<float>& out) const {
    out.resize(rows_ * layer.outputs);
    for (size_t r = 0; r < rows_; ++r) {
      std::copy(layer.bias.begin(), layer.bias.end(), out.data() + r * layer.outputs);
    }
    blas_.add_product(layer, in.data(), rows_, out.data());
  }

  void finish(const std::vector<float>* added, const Norm& norm, std::vector<float>& values) const {
    const size_t width = norm.scale.size();
    for (size_t r = 0; r < rows_; ++r) {
      float* row = values.data() + r * width;
      const float* other = added == nullptr ? nullptr : added->data() + r * width;
      for (size_t i = 0; i < width; ++i) {
        const float z = other == nullptr ? row[i] : row[i] + other[i];
        row[i] = norm.scale[i] * (z > 0 ? z : kSlope * z) + norm.shift[i];
      }
    }
  }

  const OpenBlas& blas_;
  const Weights& weights_;
  size_t rows_;
  std::vector<float> x_, p_, x1_, x2_, x3_, x4_, y_;
};

// --- oneDNN
// -----------------------------------------------------------------------------------------------------

#ifdef KINGLET_PEER_ONEDNN

/// Inner products with weights in the layout that oneDNN prefers for this number of rows; what follows a
/// product (residual, leaky ReLU, normalisation) is its post-operations.
class DnnlNetwork : public Network {
 public:
  DnnlNetwork(const dnnl::engine& engine, const Weights& weights, size_t rows)
      : engine_(engine), stream_(engine), rows_(rows) {
    x_ = values(weights.l1.inputs);
    const dnnl::memory p = add_layer(weights.projection, x_, nullptr, nullptr);
    const dnnl::memory x1 = add_layer(weights.l1, x_, nullptr, &weights.bn1);
    const dnnl::memory x2 = add_layer(weights.l2, x1, &p, &weights.bn2);
    const dnnl::memory x3 = add_layer(weights.l3, x2, &p, &weights.bn3);
    const dnnl::memory x4 = add_layer(weights.l4, x3, &x1, &weights.bn4);
    y_ = add_layer(weights.output, x4, nullptr, nullptr);
  }

  float* input() override { return static_cast<float*>(x_.get_data_handle()); }
  const float* logits() const override { return static_cast<const float*>(y_.get_data_handle()); }

  void run() override {
    for (const Layer& layer : layers_) layer.primitive.execute(stream_, layer.arguments);
    stream_.wait();
  }

 private:
  using Tag = dnnl::memory::format_tag;

  struct Layer {
    dnnl::primitive primitive;
    std::unordered_map<int, dnnl::memory> arguments;
  };

  static dnnl::memory::desc described(size_t rows, size_t columns, Tag tag) {
    return {{static_cast<dnnl::memory::dim>(rows), static_cast<dnnl::memory::dim>(columns)},
            dnnl::memory::data_type::f32,
            tag};
  }
  dnnl::memory values(size_t width) const { return {described(rows_, width, Tag::ab), engine_}; }
  dnnl::memory copied(const std::vector<float>& from, const dnnl::memory::desc& description) const {
    dnnl::memory memory(description, engine_);
    std::memcpy(memory.get_data_handle(), from.data(), from.size() * sizeof(float));
    return memory;
  }

  /// Collects post-operations and the memory that they read.
  struct PostOps {
    dnnl::post_ops list;
    std::unordered_map<int, dnnl::memory> arguments;

    void binary(dnnl::algorithm algorithm, const dnnl::memory& with) {
      arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(list.len()) | DNNL_ARG_SRC_1, with);
      list.append_binary(algorithm, with.get_desc());
    }
    void leaky() {
#if DNNL_VERSION_MAJOR >= 3
      list.append_eltwise(dnnl::algorithm::eltwise_relu, kSlope, 0);
#else
      list.append_eltwise(1, dnnl::algorithm::eltwise_relu, kSlope, 0);
#endif
    }
  };

  PostOps post_ops(const dnnl::memory* added, const Norm* norm) const {
    PostOps ops;
    if (added != nullptr) ops.binary(dnnl::algorithm::binary_add, *added);
    if (norm == nullptr) return ops;
    const dnnl::memory::desc one_row = described(1, norm->scale.size(), Tag::ab);
    ops.leaky();
    ops.binary(dnnl::algorithm::binary_mul, copied(norm->scale, one_row));
    ops.binary(dnnl::algorithm::binary_add, copied(norm->shift, one_row));
    return ops;
  }

  dnnl::inner_product_forward::primitive_desc choose(const Dense& layer, const dnnl::memory& in,
                                                     const dnnl::memory& out, const PostOps& ops) const {
    const dnnl::memory::desc weights = described(layer.outputs, layer.inputs, Tag::any);
    const dnnl::memory::desc bias({static_cast<dnnl::memory::dim>(layer.outputs)},
                                  dnnl::memory::data_type::f32, Tag::a);
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(ops.list);
    constexpr auto kInference = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
    return {engine_, kInference, in.get_desc(), weights, bias, out.get_desc(), attributes};
#else
    return {{kInference, in.get_desc(), weights, bias, out.get_desc()}, attributes, engine_};
#endif
  }

  dnnl::memory add_layer(const Dense& layer, const dnnl::memory& in, const dnnl::memory* added,
                         const Norm* norm) {
    dnnl::memory out = values(layer.outputs);
    const PostOps ops = post_ops(added, norm);
    const auto chosen = choose(layer, in, out, ops);
    dnnl::memory plain = copied(layer.weights, described(layer.outputs, layer.inputs, Tag::ab));
    dnnl::memory packed(chosen.weights_desc(), engine_);
    dnnl::reorder(plain, packed).execute(stream_, plain, packed);
    stream_.wait();
    std::unordered_map<int, dnnl::memory> arguments = ops.arguments;
    arguments.emplace(DNNL_ARG_SRC, in);
    arguments.emplace(DNNL_ARG_WEIGHTS, packed);
    arguments.emplace(DNNL_ARG_BIAS, copied(layer.bias, chosen.bias_desc()));
    arguments.emplace(DNNL_ARG_DST, out);
    layers_.push_back({dnnl::inner_product_forward(chosen), std::move(arguments)});
    return out;
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  size_t rows_;
  dnnl::memory x_, y_;
  std::vector<Layer> layers_;
};

#endif

// --- what is asked
// ----------------------------------------------------------------------------------------------

class Peer {
 public:
  Peer(const std::string& runtime, const std::string& weights, const std::string& rows)
      : runtime_(runtime), weights_(Tensors(weights)), rows_(rows) {
    if (rows_.width + weights_.embeddings.size() * weights_.embedding_width != weights_.l1.inputs) {
      fail("the rows are not of this network");
    }
    if (runtime_ == "openblas") {
      blas_ = std::make_unique<OpenBlas>();
#ifdef KINGLET_PEER_ONEDNN
    } else if (runtime_ == "onednn") {
#endif
    } else {
      fail("no such runtime in this build: " + runtime_);
    }
  }

  std::string version() const {
    if (blas_) return blas_->version();
#ifdef KINGLET_PEER_ONEDNN
    const dnnl_version_t* version = dnnl_version();
    return "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->patch);
#else
    return "";
#endif
  }

  std::vector<float> logits(size_t batch) {
    Network& network = network_of(batch);
    std::vector<float> all;
    for (size_t first = 0; first < rows_.count; first += batch) {
      const size_t start =
          std::min(first, rows_.count - batch);  // the last batch may begin inside the one before
      compute(network, start, batch);
      all.insert(all.end(), network.logits() + (first - start) * kLogits, network.logits() + batch * kLogits);
    }
    return all;
  }

  std::vector<double> times(size_t batch, int calls) {
    Network& network = network_of(batch);
    std::vector<double> microseconds;
    for (int call = -kWarmUp; call < calls; ++call) {
      if (next_ + batch > rows_.count) next_ = 0;
      const auto start = std::chrono::steady_clock::now();
      compute(network, next_, batch);
      const std::chrono::duration<double, std::micro> taken = std::chrono::steady_clock::now() - start;
      if (call >= 0) microseconds.push_back(taken.count());
      next_ += batch;
    }
    return microseconds;
  }

 private:
  Network& network_of(size_t batch) {
    if (batch == 0 || batch > rows_.count) fail("there are " + std::to_string(rows_.count) + " rows");
    std::unique_ptr<Network>& network = networks_[batch];
    if (!network && blas_) network = std::make_unique<OpenBlasNetwork>(*blas_, weights_, batch);
#ifdef KINGLET_PEER_ONEDNN
    if (!network) {
      const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
      network = std::make_unique<DnnlNetwork>(engine, weights_, batch);
    }
#endif
    return *network;
  }

  void compute(Network& network, size_t first, size_t count) const {
    float* out = network.input();
    for (size_t r = first; r < first + count; ++r) {
      out = std::copy_n(rows_.inputs.data() + r * rows_.width, rows_.width, out);
      for (size_t e = 0; e < weights_.embeddings.size(); ++e) {
        const size_t category = rows_.categories[r * weights_.embeddings.size() + e];
        out = std::copy_n(weights_.embeddings[e].data() + category * weights_.embedding_width,
                          weights_.embedding_width, out);
      }
    }
    network.run();
  }

  std::string runtime_;
  Weights weights_;
  Rows rows_;
  std::unique_ptr<OpenBlas> blas_;
  std::map<size_t, std::unique_ptr<Network>> networks_;
  size_t next_ = 0;
};

template <typename Number>
void print(const char* name, const std::vector<Number>& values) {
  std::printf("{\"%s\": [", name);
  for (size_t i = 0; i < values.size(); ++i) {
    std::printf("%s%.9g", i == 0 ? "" : ", ", static_cast<double>(values[i]));
  }
  std::printf("]}\n");
  std::fflush(stdout);
}

void answer(Peer& peer) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string what;
    size_t batch = 0;
    int calls = 0;
    words >> what >> batch >> calls;
    if (what == "logits") {
      print("logits", peer.logits(batch));
    } else if (what == "time") {
      print("us", peer.times(batch, calls));
    } else {
      fail("expected 'logits' or 'time', got '" + what + "'");
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: inference_peers onednn|openblas WEIGHTS INPUTS\n");
    return 2;
  }
  try {
    Peer peer(argv[1], argv[2], argv[3]);
    std::printf("{\"version\": \"%s\"}\n", peer.version().c_str());
    std::fflush(stdout);
    answer(peer);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "inference_peers: %s\n", error.what());
    return 1;
  }
  return 0;
}
