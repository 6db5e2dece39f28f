#pragma once

#include <cstdint>
#include <optional>

namespace kinglet::latency {

/// How often this thread has called malloc, free or their like so far. Empty where this build cannot count:
/// without glibc, or under a sanitizer, which has an allocator of its own.
std::optional<uint64_t> heap_calls() noexcept;

}  // namespace kinglet::latency
