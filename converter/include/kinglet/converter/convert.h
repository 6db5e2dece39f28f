#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kinglet/feature_set.h"
#include "kinglet/formats/model_file.h"
#include "kinglet/formats/progress.h"
#include "kinglet/request.h"

namespace kinglet::converter {

/// How the blob holds the network (docs/numerics.md).
///   fp32: floats.
///   bf16, fp16: rows and hidden layers in floats of 16 bits, arithmetic in fp32.
///   int8: 8-bit sketch rows and hidden layers, 8- or 16-bit rows of all other features, activations of 14
///   bits, or most of them of 8 behind folded layers. mixed: the rows of int8, the hidden layers of bf16.
///   int4: int8 with 4-bit sketch rows; where layers are folded, in all blocks but the last.
enum class Precision : uint8_t { fp32, bf16, fp16, int8, mixed, int4 };
inline constexpr std::array<std::string_view, 6> kPrecisionNames = {"fp32", "bf16",  "fp16",
                                                                    "int8", "mixed", "int4"};

/// Rows like those that the model will score, with the history that it will score them by: what shows how
/// often numeric values occur and what a precision costs.
struct CalibrationOptions {
  std::vector<std::filesystem::path> rows;  // files, or folders of part-* files; none: no calibration
  std::filesystem::path history;
  uint64_t maximum_rows = 20'000;                // the first of them are taken
  uint64_t frequent_bytes = uint64_t{48} << 20;  // for rows of frequent numeric values
  uint64_t token_bytes = uint64_t{64} << 20;     // for rows of frequent tokens, with one norm a tweet
};

struct ConvertOptions {
  std::filesystem::path weights;  // torch.save's zip format, safetensors or npz
  /// JSON: token id -> absolute codes; may be an empty object.
  std::filesystem::path codebook;
  /// In place of the codebook: token vectors (read_token_vectors), whose mean the network reads in place of a
  /// sketch. They are taken as they are.
  std::filesystem::path vectors;
  std::filesystem::path languages;  // JSON or a pickled dict: hashed language -> row of language.weight
  /// Needed only where the codebook is empty (default 20 and 256); must agree with it and the weights
  /// otherwise.
  std::optional<uint32_t> depth;
  std::optional<uint32_t> width;
  /// What the network was trained with; decides its input width. `text` is what codebook or vectors say.
  FeatureSet features;
  Precision precision = Precision::fp32;
  CalibrationOptions calibration;
  /// Hidden layers to fold into the first (docs/numerics.md, "The sign skeleton"), 0 to 3; needs calibration
  /// rows. Default: what costs them least, by the bytes they read; 0 without them.
  std::optional<uint32_t> folded_layers;
  /// What a byte of rows and columns costs beside one of dense weights in that choice: they come here and
  /// there, at 25 to 35 GB/s, where weights stream at 90 (Zen 4). 1 where a core reads both alike.
  double scattered_cost = 3;
  /// Of int4: bits of the sketch's rows in the columns of folded layers, 4 or 1; 1: other rows have 4 there,
  /// not 8. Default: 1 where units are seldom off their usual side.
  std::optional<uint32_t> side_bits;
  /// Refuse a checkpoint that holds tensors the network does not use.
  bool strict = false;
};

/// Errors of a vector of the plan against fp32, over all calibration rows; hidden vectors are normalised.
struct LayerError {
  std::string name;  // "l1", "hidden2", "logits"
  double rms = 0;
  double magnitude = 0;  // rms of the vector itself
  double largest = 0;
};

/// The converted model beside fp32 on the calibration rows.
struct CalibrationReport {
  std::vector<LayerError> layers;
  /// A row's probabilities in the order of Target: in fp32, and as converted.
  std::vector<std::array<float, kTargets>> before;
  std::vector<std::array<float, kTargets>> after;
  double bytes_mean = 0;  // of the model, that a row reads
  uint64_t bytes_p99 = 0;
  double dense_bytes_mean = 0;  // the same without folded layers, with rows of the same values and tokens
  uint64_t dense_bytes_p99 = 0;
  uint64_t frequent_rows = 0;  // numeric values with a row of their own
  uint64_t token_rows = 0;     // tokens with a row of their own
  uint32_t folded_layers = 0;
  uint32_t side_bits = 0;  // of the sketch's rows in the columns of folded layers; 0: as in all others
  /// Units off their usual side of 0, a row, in each of the first three hidden layers; empty where no layer
  /// may be folded (folded_layers 0).
  std::optional<std::array<double, 3>> flips;
};

/// What a conversion found, used and left aside.
struct ConvertReport {
  std::string weights_format;
  std::string key_prefix;
  std::vector<std::pair<std::string, std::string>> used;     // tensor name, "f32 [96, 6360]"
  std::vector<std::pair<std::string, std::string>> ignored;  // tensors and other entries, with why or what
  std::string layout;
  uint32_t inputs = 0;
  uint32_t hidden = 0;
  uint32_t depth = 0;
  uint32_t width = 0;
  uint32_t dimensions = 0;    // of the tokens' vectors, where their mean is read
  uint64_t known_tokens = 0;  // with codes or a vector
  uint64_t languages = 0;
  uint64_t parameters = 0;
  uint64_t file_bytes = 0;
  uint64_t negligible = 0;  // numbers below 2^-100 in magnitude, stored as 0
  std::optional<CalibrationReport> calibration;
};

/// Converts and writes `output` (beside, then renamed). Before it is renamed the model is opened from memory,
/// verified and its self-tests run on every instruction set of this CPU. Same input, same bytes. Throws
/// Error.
ConvertReport convert(const ConvertOptions& options, const std::filesystem::path& output,
                      const ProgressFn& progress = {});

}  // namespace kinglet::converter
