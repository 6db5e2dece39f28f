#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace kinglet {

/// Called now and then (a few times a second at most matters) by long work, from the thread that does the
/// work: `done` of `total` `unit`s of `stage`; total 0 means unknown. May throw Interrupted. May be empty.
using ProgressFn =
    std::function<void(std::string_view stage, uint64_t done, uint64_t total, std::string_view unit)>;

}  // namespace kinglet
