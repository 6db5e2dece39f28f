#pragma once

#include <cstddef>

namespace kinglet::train {

/// The threads that parallel_for works on, the caller's included; 1 until it is set. They sleep while there
/// is nothing to do: on a CPU that is shared with other programs a thread that spins, as OpenMP's do, takes
/// the time that the thread it waits for needs. Call it from one thread, while no task runs.
void set_worker_count(size_t count);
size_t worker_count() noexcept;
/// Of the thread that runs the calling task, below worker_count(): for memory of a thread's own.
size_t worker_index() noexcept;

/// parallel_for without its type.
void run_tasks(size_t count, void (*task)(const void* context, size_t i), const void* context);

/// Calls task(i) for i in [0, count). Which thread does what is left to chance: tasks write to places of
/// their own and add up nothing across tasks, so that the result is the same for any number of threads.
/// Throws what a task threw, after all others. One caller at a time; within a task it runs on the task's
/// thread.
template <typename Task>
void parallel_for(size_t count, const Task& task) {
  run_tasks(
      count, [](const void* context, size_t i) { (*static_cast<const Task*>(context))(i); }, &task);
}

}  // namespace kinglet::train
