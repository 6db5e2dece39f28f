#include "parallel.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include <omp.h>

namespace kinglet::train {
namespace {

thread_local size_t this_worker = 0;
thread_local bool in_task = false;

/// Waits until `value` is no longer `old`. A step has dozens of short waits: first the CPU is only offered to
/// others, which is over sooner than a sleep if there are none.
void wait_while(const std::atomic<uint32_t>& value, uint32_t old) noexcept {
  constexpr int kOffers = 50;
  for (int i = 0; i < kOffers; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    std::this_thread::yield();
  }
  value.wait(old, std::memory_order_acquire);
}

class Workers {
 public:
  ~Workers() { stop(); }

  size_t count() const noexcept { return threads_.size() + 1; }

  void resize(size_t count) {
    stop();
    stopping_ = false;
    const uint32_t round = round_;
    for (size_t i = 1; i < count; ++i) threads_.emplace_back([this, i, round] { work(i, round); });
  }

  void run(size_t count, void (*task)(const void*, size_t), const void* context) {
    task_ = task;
    context_ = context;
    count_ = count;
    failure_ = nullptr;
    next_ = 0;
    busy_ = static_cast<uint32_t>(threads_.size());
    begin_round();
    share();
    for (uint32_t busy = busy_; busy != 0; busy = busy_) wait_while(busy_, busy);
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void begin_round() {
    ++round_;
    round_.notify_all();
  }

  void stop() {
    stopping_ = true;
    begin_round();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  void work(size_t index, uint32_t round) {
    omp_set_num_threads(1);  // for oneDNN: its own threads are not used
    this_worker = index;
    for (;; ++round) {
      wait_while(round_, round);
      if (stopping_) return;
      share();
      --busy_;
      busy_.notify_one();
    }
  }

  void share() noexcept {
    in_task = true;
    for (size_t i = next_++; i < count_; i = next_++) {
      try {
        task_(context_, i);
      } catch (...) {
        const std::lock_guard lock(failing_);
        failure_ = std::current_exception();
      }
    }
    in_task = false;
  }

  std::vector<std::thread> threads_;
  std::atomic<uint32_t> round_{0};  // goes up with each run()
  std::atomic<uint32_t> busy_{0};   // threads that have not finished this round
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> next_{0};
  void (*task_)(const void*, size_t) = nullptr;
  const void* context_ = nullptr;
  size_t count_ = 0;
  std::mutex failing_;
  std::exception_ptr failure_;
};

Workers& workers() {
  static Workers all;
  return all;
}

}  // namespace

void set_worker_count(size_t count) {
  omp_set_num_threads(1);
  workers().resize(std::max<size_t>(count, 1));
}

size_t worker_count() noexcept {
  return workers().count();
}

size_t worker_index() noexcept {
  return this_worker;
}

void run_tasks(size_t count, void (*task)(const void* context, size_t i), const void* context) {
  if (in_task || count == 1) {
    for (size_t i = 0; i < count; ++i) task(context, i);
  } else if (count > 0) {
    workers().run(count, task, context);
  }
}

}  // namespace kinglet::train
