#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace kinglet::converter {

/// One vector a token, e.g. the input embeddings of a language model. Ids are ascending and distinct, at most
/// RowLimits::token_id; values are finite. A plain value: its maker keeps values.size() = ids.size() x
/// dimensions.
struct TokenVectors {
  std::vector<uint32_t> ids;
  size_t dimensions = 0;
  std::vector<float> values;  // [ids][dimensions]

  size_t tokens() const noexcept { return ids.size(); }
  std::span<const float> vector(size_t token) const noexcept {
    return std::span(values).subspan(token * dimensions, dimensions);
  }
};

/// The largest vectors that are accepted.
inline constexpr size_t kMaxVectorDimensions = 16'384;

/// Reads token vectors by the file's content, never by its name:
/// - npy: [tokens, dimensions] of a floating type; the row is the token's id;
/// - npz, safetensors, torch.save's zip format: the same as one tensor among others, named by `tensor`, or,
/// if that is
///   empty, the only one with two dimensions. An integer tensor "ids" [tokens] beside it gives the ids;
/// - text (word2vec, GloVe): a line a token, its decimal id, then its floats, between spaces or tabs; a first
/// line of
///   two integers (tokens, dimensions) is allowed.
/// Doubles are rounded to the nearest float. Throws Error that names file and place, on vectors that are not
/// finite and on repeated ids among others.
TokenVectors read_token_vectors(const std::filesystem::path& path, const std::string& tensor = {});

/// The vectors by token id, [1 + the largest id][dimensions]; zeros for ids without one. Throws Error naming
/// `file` on ids so sparse that the table would outweigh the vectors 16 times (+ 24 MiB).
std::vector<float> vector_table(const TokenVectors& vectors, const std::string& file);

/// Writes them as safetensors: "vectors" and "ids". Throws Error if the file cannot be written.
void write_token_vectors(const std::filesystem::path& path, const TokenVectors& vectors);

}  // namespace kinglet::converter
