// What a score costs by how many units of the folded layers are off their usual side of 0 (docs/numerics.md,
// "The sign skeleton"), beside the same network without folded layers: full size, random weights, the fastest
// instruction set here. `flips/int8/2/50/columns`: 2 layers folded, 50 % of each one's units flipped, columns
// whatever it costs; `.../limits`: as converted, with the dense way beyond its limit. Units flip by biases
// far from 0.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "kinglet/converter/convert.h"
#include "kinglet/formats/model_file.h"
#include "kinglet/history/builder.h"
#include "kinglet/session.h"

#include "synthetic/synthetic.h"

namespace {

namespace fs = std::filesystem;
namespace fbs = kinglet::fbs;
using kinglet::converter::Precision;
using kinglet::formats::ModelFile;
using kinglet::formats::ModelFileWriter;

constexpr size_t kRequests = 64;  // taken in turns
constexpr size_t kTokens = 32;    // [CLS] and [SEP] included
constexpr int64_t kStart = 1'612'137'600;
constexpr int64_t kDay = 86'400;

enum class Way : uint8_t { columns, limits };

/// The network and the rows that its sides are found by.
class Sources {
 public:
  Sources() : dir_((fs::temp_directory_path() / "kinglet-bench-XXXXXX").string()) {
    std::string folder = dir_.string();
    if (::mkdtemp(folder.data()) == nullptr) std::abort();
    dir_ = folder;
    namespace synthetic = kinglet::synthetic;
    synthetic::SyntheticWorld world;
    synthetic::write_checkpoint({}, dir_ / "weights.safetensors");
    synthetic::write_codebook({}, 30'522, dir_ / "codebook.json");
    synthetic::write_languages(world.language_names(), dir_ / "languages.json");
    using Labels = synthetic::SyntheticWorld::Labels;
    synthetic::write_rows(world, dir_ / "train", 1, 400, kStart, kStart + 3 * kDay, Labels::yes);
    synthetic::write_rows(world, dir_ / "valid", 1, 200, kStart + 3 * kDay, kStart + 4 * kDay, Labels::yes);
    kinglet::history::build_history({dir_ / "train"}, {dir_ / "valid"}, dir_ / "history.kinglet", {});
  }
  ~Sources() { fs::remove_all(dir_); }
  Sources(const Sources&) = delete;
  Sources& operator=(const Sources&) = delete;

  /// Converted once.
  const fs::path& model(Precision precision, uint32_t layers) {
    fs::path& path = models_[{precision, layers}];
    if (!path.empty()) return path;
    path = dir_ / ("m" + std::to_string(models_.size()) + ".kinglet");
    kinglet::converter::ConvertOptions options;
    options.weights = dir_ / "weights.safetensors";
    options.codebook = dir_ / "codebook.json";
    options.languages = dir_ / "languages.json";
    options.precision = precision;
    options.folded_layers = layers;
    options.calibration.rows = {dir_ / "valid"};
    options.calibration.history = dir_ / "history.kinglet";
    kinglet::converter::convert(options, path);
    return path;
  }
  fs::path scratch() const { return dir_ / "changed.kinglet"; }

 private:
  fs::path dir_;
  std::map<std::pair<Precision, uint32_t>, fs::path> models_;
};

Sources& sources() {
  static Sources made;
  return made;
}

/// Biases so large that `percent` of each folded layer's units flip in every request, the rest never: larger
/// from layer to layer, as the columns of one add to the sums of the next.
fs::path with_flips(const fs::path& path, int percent, Way way) {
  const ModelFile file(path);
  std::unique_ptr<fbs::ModelT> header(file.header().UnPack());
  std::vector<std::vector<std::byte>> tensors;
  for (const auto& tensor : file.tensors()) tensors.emplace_back(tensor.bytes.begin(), tensor.bytes.end());
  const auto floats = [&](const std::string& name) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (header->tensors[i]->name == name) return reinterpret_cast<float*>(tensors[i].data());
    }
    std::abort();
  };
  float* bias = floats(header->plan->bias);
  double magnitude = 1e3;
  for (const auto& step : header->plan->steps) {
    if (step->columns.empty()) continue;
    const float* scale = floats(step->flip_scale);
    for (const auto& block : header->plan->blocks) {
      if (block->name != step->input) continue;
      for (uint32_t i = 0; i < block->width; ++i) {
        const bool flips = i * 37 % 100 < static_cast<uint32_t>(percent);
        bias[block->offset + i] = static_cast<float>(std::copysign(magnitude, flips ? scale[i] : -scale[i]));
      }
    }
    magnitude *= 1e4;
    if (way == Way::columns) step->dense_way.reset();
  }
  ModelFileWriter(std::move(*header), std::move(tensors)).write(sources().scratch());
  return sources().scratch();
}

void score(benchmark::State& state, const fs::path& path) {
  const kinglet::Model model = kinglet::Model::open(path);
  kinglet::Session session(model);
  std::vector<std::vector<uint32_t>> tokens(kRequests);
  for (uint32_t request = 0; request < kRequests; ++request) {
    for (uint32_t t = 0; t < kTokens; ++t)
      tokens[request].push_back(1'000 + (37 * t + 911 * request) % 28'000);
  }
  const std::vector<double> numerics(model.numeric_count(), 1.0);
  const std::vector<uint32_t> categories(model.category_count(), 1);
  kinglet::Scores scores;
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(session.score({tokens[next], numerics, 1, categories}, scores));
    next = (next + 1) % kRequests;
  }
  size_t flips = 0;
  for (const char* name : {"flips1", "flips2", "flips3"}) {
    for (const float value : session.value(name)) flips += value > 0 ? 1 : 0;
  }
  state.counters["flips"] = static_cast<double>(flips);
  state.counters["MB"] = static_cast<double>(session.bytes_read().total()) * 1e-6;
}

void score_dense(benchmark::State& state, Precision precision) {
  score(state, sources().model(precision, 0));
}

void score_flipped(benchmark::State& state, Precision precision, uint32_t layers, int percent, Way way) {
  score(state, with_flips(sources().model(precision, layers), percent, way));
}

}  // namespace

int main(int argc, char** argv) {
  for (const auto& [precision, name] : {std::pair{Precision::int8, "int8"}, {Precision::fp32, "fp32"}}) {
    const std::string prefix = std::string("flips/") + name + "/";
    benchmark::RegisterBenchmark((prefix + "dense").c_str(), score_dense, precision)
        ->Unit(benchmark::kMicrosecond);
    for (uint32_t layers = 1; layers <= 3; ++layers) {
      for (const int percent : {0, 10, 25, 50, 75, 100}) {
        for (const auto& [way, way_name] : {std::pair{Way::columns, "/columns"}, {Way::limits, "/limits"}}) {
          benchmark::RegisterBenchmark(
              (prefix + std::to_string(layers) + "/" + std::to_string(percent) + way_name).c_str(),
              score_flipped, precision, layers, percent, way)
              ->Unit(benchmark::kMicrosecond);
        }
      }
    }
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
