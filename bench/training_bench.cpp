// How many rows a second a training step takes at full size: the network forward and backward and AdamW, on
// given batches (making them is not measured). `bench/peers/compare_training.py` runs it against PyTorch.

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "kinglet/converter/tensors.h"
#include "kinglet/train/settings.h"

#include "batch.h"
#include "initial.h"
#include "network.h"
#include "optimiser.h"
#include "parallel.h"
#include "state_dict.h"

namespace {

using namespace kinglet::train;
using kinglet::converter::Tensor;
using kinglet::converter::TensorMap;

constexpr size_t kRows = 256;
constexpr size_t kBatches = 4;
constexpr uint32_t kDepth = 20;
constexpr uint32_t kWidth = 256;
constexpr uint32_t kEncoded = 16;  // values of a numeric feature: 8 sines, then 8 cosines
constexpr uint32_t kNumerics = 73;
constexpr double kRate = 1e-4;

/// Draws rows like those of tweets: 30 tokens of a vocabulary that follows Zipf's law, with 20 codes each;
/// 40 % of the numeric features are not 0 (in 400 real rows with a short history 21 % were).
class Rows {
 public:
  explicit Rows(uint64_t seed) : random_(seed) {}

  Batch batch(const NetworkShape& shape) {
    Batch batch(shape);
    batch.resize(kRows);
    for (size_t b = 0; b < kRows; ++b) {
      sketch(batch.sketch);
      plain(batch.plain(b), shape.plain);
      batch.categories[b] = {below(shape.languages), below(kHours), below(kDays)};
      batch.labels[b] = {chance(0.4), chance(0.09), chance(0.01), chance(0.03)};
    }
    return batch;
  }

 private:
  double uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  uint32_t below(uint32_t count) { return static_cast<uint32_t>(random_() % count); }
  float chance(double probability) { return uniform() < probability ? 1.0F : 0.0F; }

  void sketch(SketchBatch& out) {
    constexpr double kVocabulary = 30'000;
    std::vector<uint32_t> tokens(12 + below(37));
    for (uint32_t& token : tokens) token = static_cast<uint32_t>(std::pow(kVocabulary, uniform()));
    for (uint32_t d = 0; d < kDepth; ++d) {
      std::array<float, kWidth> counts{};
      for (const uint32_t token : tokens) ++counts[code(token, d)];
      float squares = 0;
      for (const float count : counts) squares += count * count;
      for (uint32_t i = 0; i < kWidth; ++i) {
        if (counts[i] == 0) continue;
        out.inputs.push_back(d * kWidth + i);
        out.values.push_back(counts[i] / std::sqrt(squares));
      }
    }
    out.end_row();
  }

  /// As good as random.
  static uint32_t code(uint32_t token, uint32_t depth) {
    const uint64_t mixed = (uint64_t{token} * kDepth + depth + 1) * 0x9E3779B97F4A7C15;
    return static_cast<uint32_t>((mixed ^ mixed >> 32) * 0xD6E8FEB86659FD93 >> 32) % kWidth;
  }

  void plain(float* out, uint32_t size) {
    for (uint32_t i = 0; i < kNumerics; ++i) {
      const double value = uniform() < 0.4 ? 1 + std::floor(std::exp(8 * uniform())) : 0;
      double scaled = value * 2;
      for (uint32_t j = 0; j < kEncoded / 2; ++j, scaled /= 2) {
        out[i * kEncoded + j] = static_cast<float>(std::sin(scaled));
        out[i * kEncoded + kEncoded / 2 + j] = static_cast<float>(std::cos(scaled));
      }
    }
    for (uint32_t i = kNumerics * kEncoded; i < size; ++i) out[i] = chance(0.3);
  }

  std::mt19937_64 random_;
};

std::vector<Batch> make_batches(const NetworkShape& shape) {
  Rows rows(1);
  std::vector<Batch> batches;
  for (size_t i = 0; i < kBatches; ++i) batches.push_back(rows.batch(shape));
  return batches;
}

Tensor f32_tensor(std::vector<uint64_t> shape) {
  Tensor tensor;
  tensor.shape = std::move(shape);
  tensor.bytes.resize(tensor.elements() * sizeof(float));
  return tensor;
}

/// The batches as the published program sees them: every input but the embeddings dense, sketch first.
TensorMap dense_batches(const std::vector<Batch>& batches, const NetworkShape& shape) {
  TensorMap tensors;
  const size_t width = shape.sketch + shape.plain;
  for (size_t i = 0; i < batches.size(); ++i) {
    const Batch& batch = batches[i];
    Tensor inputs = f32_tensor({kRows, width});
    Tensor categories = f32_tensor({kRows, 3});
    Tensor labels = f32_tensor({kRows, 4});
    for (size_t b = 0; b < kRows; ++b) {
      float* row = reinterpret_cast<float*>(inputs.bytes.data()) + b * width;
      for (size_t k = batch.sketch.row_start[b]; k < batch.sketch.row_start[b + 1]; ++k) {
        row[batch.sketch.inputs[k]] = batch.sketch.values[k];
      }
      std::copy_n(batch.dense.data() + b * shape.dense(), shape.plain, row + shape.sketch);
      std::copy_n(batch.categories[b].begin(), 3, reinterpret_cast<float*>(categories.bytes.data()) + b * 3);
      std::copy_n(batch.labels[b].begin(), 4, reinterpret_cast<float*>(labels.bytes.data()) + b * 4);
    }
    const std::string number = std::to_string(i);
    tensors.emplace("inputs" + number, std::move(inputs));
    tensors.emplace("categories" + number, std::move(categories));
    tensors.emplace("labels" + number, std::move(labels));
  }
  return tensors;
}

void write(const std::filesystem::path& folder, const Network& network, const std::vector<Batch>& batches) {
  std::filesystem::create_directories(folder);
  kinglet::converter::write_safetensors(
      folder / "weights.safetensors",
      to_state_dict(network.layout(), {network.parameters().data(), network.parameters().size()}));
  kinglet::converter::write_safetensors(folder / "batches.safetensors",
                                        dense_batches(batches, network.layout().shape()));
}

/// The most memory this process has had, in MiB.
long peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6)) / 1024;
  }
  return 0;
}

struct Measured {
  std::vector<double> losses;
  std::vector<double> seconds;  // of each step
};

Measured measure(Network& network, std::vector<Batch>& batches, size_t steps) {
  Optimiser optimiser(network.parameters(), {});
  Measured measured;
  for (size_t i = 0; i < steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    optimiser.begin_step(kRate);
    measured.losses.push_back(network.train(batches[i % batches.size()], optimiser));
    measured.seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return measured;
}

std::string listed(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) text += (text.empty() ? "" : ", ") + std::to_string(value);
  return text;
}

void print(const Measured& measured, bool json) {
  if (json) {
    std::printf("{\"losses\": [%s], \"seconds\": [%s], \"peak_mib\": %ld}\n", listed(measured.losses).c_str(),
                listed(measured.seconds).c_str(), peak_memory());
    return;
  }
  std::vector<double> sorted = measured.seconds;
  std::sort(sorted.begin(), sorted.end());
  const double rows = kRows;
  std::printf("training step, batch %zu: median %.0f rows/s, best %.0f rows/s; peak memory %ld MiB\n", kRows,
              rows / sorted[sorted.size() / 2], rows / sorted[0], peak_memory());
}

}  // namespace

int main(int argc, char** argv) {
  size_t steps = 20;
  size_t threads = 2;
  std::string folder;
  bool json = false;
  CLI::App app("Rows a second of a training step at full size");
  app.add_option("--steps", steps, "Steps to measure")->check(CLI::PositiveNumber);
  app.add_option("--threads", threads, "Threads")->check(CLI::PositiveNumber);
  app.add_option("--write", folder, "Write weights and batches into this folder instead of measuring");
  app.add_flag("--json", json, "Losses and times of all steps");
  CLI11_PARSE(app, argc, argv);

  set_worker_count(threads);
  const NetworkShape shape;
  Network network(shape, kRows);
  draw_initial({}, {}, network);
  std::vector<Batch> batches = make_batches(shape);
  if (!folder.empty()) {
    write(folder, network, batches);
  } else {
    print(measure(network, batches, steps), json);
  }
}
