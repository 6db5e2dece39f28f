#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace kinglet::converter {

/// Token codes as read from a codebook JSON: {"TOKEN_ID": [absolute code of depth 0, of depth 1, ...], ...}.
struct CodebookJson {
  uint32_t depth = 0;        // length of every code list; 0 = the object is empty
  uint32_t token_limit = 0;  // 1 + the largest token id
  /// [token_limit][depth] absolute codes; tokens without codes hold kNoCode in every place.
  std::vector<uint32_t> codes;
  static constexpr uint32_t kNoCode = 0xFFFF'FFFF;
};

/// Throws Error on anything but one JSON object of equally long, non-empty lists of integers in [0, 2^32 - 2]
/// under distinct decimal ids, on ids above RowLimits::token_id, and on ids so sparse that the table would
/// outweigh the file 16 times (+ 24 MiB).
CodebookJson read_codebook(const std::filesystem::path& path);
/// The same over bytes in memory; `name` stands for the file in messages.
CodebookJson read_codebook(std::span<const std::byte> bytes, const std::string& name);

/// Languages with their embedding row, ordered by row. Rows are distinct and below 65,536; the names are
/// distinct and at most RowLimits::id_bytes long.
using LanguageTable = std::vector<std::pair<std::string, uint32_t>>;
/// From JSON ({"HASH": row, ...}) or a pickled dict of the same, protocol 2 to 5 (told apart by content).
/// Throws Error.
LanguageTable read_languages(const std::filesystem::path& path);
/// The same over bytes in memory; `name` stands for the file in messages.
LanguageTable read_languages(std::span<const std::byte> bytes, const std::string& name);

}  // namespace kinglet::converter
