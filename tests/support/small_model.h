#pragma once

#include <filesystem>
#include <string>

#include "kinglet/converter/convert.h"

#include "support/support.h"
#include "synthetic/synthetic.h"

namespace kinglet::test {

struct ModelSources {
  std::filesystem::path weights, codebook, languages;

  converter::ConvertOptions options() const {
    converter::ConvertOptions options;
    options.weights = weights;
    options.codebook = codebook;
    options.languages = languages;
    return options;
  }
};

/// Writes an invented checkpoint (safetensors), codebook and language table into `dir`.
inline ModelSources write_model_sources(const TempDir& dir, const synthetic::NetworkOptions& network,
                                        uint32_t vocabulary) {
  ModelSources sources{dir / "weights.safetensors", dir / "codebook.json", dir / "languages.json"};
  synthetic::write_checkpoint(network, sources.weights);
  synthetic::write_codebook(network, vocabulary, sources.codebook);
  synthetic::WorldOptions world;
  world.languages = network.languages;
  synthetic::write_languages(synthetic::SyntheticWorld(world).language_names(), sources.languages);
  return sources;
}

/// Small in every dimension, so that tests can go through each byte of its header.
inline synthetic::NetworkOptions tiny_network() {
  synthetic::NetworkOptions network;
  network.hidden = 5;
  network.depth = 2;
  network.width = 4;
  network.languages = 3;
  return network;
}

/// Converts an invented network to `dir`/model.kinglet.
inline std::filesystem::path write_model(const TempDir& dir, const synthetic::NetworkOptions& network,
                                         uint32_t vocabulary,
                                         converter::Precision precision = converter::Precision::fp32) {
  const std::filesystem::path path = dir / "model.kinglet";
  converter::ConvertOptions options = write_model_sources(dir, network, vocabulary).options();
  options.precision = precision;
  converter::convert(options, path);
  return path;
}

}  // namespace kinglet::test
