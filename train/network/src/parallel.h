#pragma once

#include <cstddef>
#include <cstdint>

namespace kinglet::train {

/// Calls task(i) for i in [0, count) on oneDNN's threads. Which thread does what is left to chance: tasks
/// write to places of their own and add up nothing across tasks, so that the result is the same for any
/// number of threads.
template <typename Task>
void parallel_for(size_t count, const Task& task) {
  const auto tasks = static_cast<int64_t>(count);
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t i = 0; i < tasks; ++i) task(static_cast<size_t>(i));
}

}  // namespace kinglet::train
