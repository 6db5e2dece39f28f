#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace kinglet::codebook {

/// Writes {"TOKEN_ID": [absolute code of depth 0, of depth 1, ...], ...}, a token a line in the order of
/// `ids`, as converter::read_codebook() reads it; {} without ids. `codes` is [ids][depth]. Throws Error if it
/// cannot be written.
void write_codebook(const std::filesystem::path& path, std::span<const uint32_t> ids,
                    std::span<const uint32_t> codes);

}  // namespace kinglet::codebook
