#include "parallel.h"

#include <atomic>
#include <stdexcept>
#include <vector>

#include "support/support.h"

using kinglet::train::parallel_for;
using kinglet::train::set_worker_count;
using kinglet::train::worker_count;
using kinglet::train::worker_index;

TEST_CASE("every task runs once, on a worker of its own number, however many workers there are") {
  for (const size_t count : {size_t{1}, size_t{2}, size_t{5}, size_t{3}, size_t{1}}) {
    set_worker_count(count);
    CHECK(worker_count() == count);
    for (const size_t tasks : {size_t{0}, size_t{1}, size_t{2}, size_t{1000}}) {
      std::vector<int> runs(tasks);  // not atomic: a race is for ThreadSanitizer to see
      std::vector<size_t> busy(count);
      parallel_for(tasks, [&](size_t i) {
        ++runs[i];
        ++busy[worker_index()];
      });
      size_t sum = 0;
      for (const size_t of_worker : busy) sum += of_worker;
      CHECK(sum == tasks);
      CHECK(runs == std::vector<int>(tasks, 1));
    }
  }
}

TEST_CASE("rounds follow each other at once") {
  set_worker_count(3);
  size_t total = 0;
  for (size_t round = 0; round < 2'000; ++round) {
    std::atomic<size_t> sum{0};
    parallel_for(3, [&](size_t i) { sum += i; });
    total += sum;
  }
  CHECK(total == 6'000);
  set_worker_count(1);
}

TEST_CASE("a task's exception reaches the caller after the other tasks, and the workers go on") {
  set_worker_count(2);
  std::atomic<int> done{0};
  CHECK(kinglet::test::error_of([&] {
          parallel_for(50, [&](size_t i) {
            if (i == 7) throw std::runtime_error("task 7");
            ++done;
          });
        }) == "task 7");
  CHECK(done == 49);
  parallel_for(50, [&](size_t) { ++done; });
  CHECK(done == 99);
  set_worker_count(1);
}

TEST_CASE("tasks within a task run on its thread") {
  set_worker_count(2);
  std::vector<size_t> sums(8);
  parallel_for(sums.size(), [&](size_t i) {
    const size_t worker = worker_index();
    parallel_for(100, [&](size_t j) { sums[i] += worker_index() == worker ? j : 1'000'000; });
  });
  CHECK(sums == std::vector<size_t>(8, 4'950));
  set_worker_count(1);
}
