#pragma once

#include <filesystem>
#include <string>

#include "kinglet/converter/convert.h"
#include "kinglet/converter/token_vectors.h"

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

/// Invented vectors for the even tokens below `vocabulary`, of as many dimensions as the network's sketch has
/// inputs, as `dir`/vectors: with them in place of the codebook the same checkpoint reads their mean.
inline converter::ConvertOptions with_token_vectors(const TempDir& dir, const ModelSources& sources,
                                                    const synthetic::NetworkOptions& network,
                                                    uint32_t vocabulary) {
  converter::TokenVectors vectors{{}, network.depth * network.width, {}};
  for (uint32_t token = 0; token < vocabulary; token += 2) {
    vectors.ids.push_back(token);
    for (uint32_t d = 0; d < vectors.dimensions; ++d)
      vectors.values.push_back(static_cast<float>((token * 37 + d * 11 + 5) % 97) / 32.0F - 1.5F);
  }
  converter::write_token_vectors(dir / "vectors", vectors);
  converter::ConvertOptions options = sources.options();
  options.codebook.clear();
  options.vectors = dir / "vectors";
  return options;
}

/// Converts an invented network that reads the mean of token vectors to `dir`/mean.kinglet.
inline std::filesystem::path write_mean_model(const TempDir& dir, const synthetic::NetworkOptions& network,
                                              uint32_t vocabulary) {
  const ModelSources sources = write_model_sources(dir, network, vocabulary);
  converter::convert(with_token_vectors(dir, sources, network, vocabulary), dir / "mean.kinglet");
  return dir / "mean.kinglet";
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
