#pragma once

namespace kinglet::kernels {

/// Whether rows that are read long after others are asked for meanwhile: the next call's, or some lines on.
/// Set once, by the CPU, before main(). No bit depends on it.
extern const bool fetch_far;

}  // namespace kinglet::kernels
