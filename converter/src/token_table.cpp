#include "token_table.h"

#include <string>
#include <utility>

#include "kinglet/converter/token_vectors.h"
#include "kinglet/converter/vocabulary.h"
#include "kinglet/formats/error.h"

namespace kinglet::converter {
namespace {

std::vector<uint16_t> relative_codes(const CodebookJson& codebook, const TokenTable& table,
                                     const std::string& file) {
  const TextShape& sketch = table.shape;
  std::vector<uint16_t> codes(table.rows() * sketch.depth, formats::kNoCode);
  for (size_t i = 0; i < codebook.codes.size(); ++i) {
    const uint32_t code = codebook.codes[i];
    if (code == CodebookJson::kNoCode) continue;
    const auto depth = static_cast<uint32_t>(i % sketch.depth);
    const uint64_t first = uint64_t{depth} * sketch.width;
    if (code < first || code >= first + sketch.width) {
      throw Error(file, "token " + std::to_string(i / sketch.depth),
                  "code " + std::to_string(code) + " at depth " + std::to_string(depth) + ", expected " +
                      std::to_string(first) + " to " + std::to_string(first + sketch.width - 1));
    }
    codes[i] = static_cast<uint16_t>(code - first);
  }
  return codes;
}

TokenTable codes_of(const ConvertOptions& options, const Network& network) {
  const CodebookJson codebook = read_codebook(options.codebook);
  TokenTable table;
  table.limit = codebook.token_limit;
  table.shape = find_sketch_shape(network, options.features, codebook.depth, options.depth, options.width,
                                  options.weights.string());
  table.codes = relative_codes(codebook, table, options.codebook.string());
  for (uint32_t token = 0; token < codebook.token_limit; ++token) {
    if (codebook.codes[uint64_t{token} * codebook.depth] != CodebookJson::kNoCode) ++table.known;
  }
  return table;
}

TokenTable vectors_of(const ConvertOptions& options, const Network& network) {
  if (options.depth || options.width || options.features.sketch_norm != fbs::SketchNorm::row)
    throw Error("--vectors", "",
                "with the mean of token vectors there is no sketch to give a size or a norm");
  const TokenVectors vectors = read_token_vectors(options.vectors);
  TokenTable table;
  table.limit = vectors.ids.back() + 1;
  table.shape = find_mean_shape(network, options.features, vectors.dimensions, options.weights.string());
  table.vectors = vector_table(vectors, options.vectors.string());
  table.known = vectors.tokens();
  return table;
}

}  // namespace

TokenTable read_token_table(const ConvertOptions& options, const Network& network) {
  return options.vectors.empty() ? codes_of(options, network) : vectors_of(options, network);
}

void add_token_table(const TokenTable& table, fbs::ModelT& header, TensorPack& pack) {
  if (table.shape.dimensions != 0) {
    header.codebook = "token_vectors";
    pack.add_floats(header.codebook, table.vectors, table.shape.dimensions);
  } else {
    header.codebook = "codebook";
    pack.add_codes(header.codebook, table.rows(), table.shape.depth, table.codes);
  }
}

}  // namespace kinglet::converter
