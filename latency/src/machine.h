#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace kinglet::latency {

using Clock = std::chrono::steady_clock;

inline double microseconds(Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

/// As the system names it; "unknown CPU" where it does not.
std::string cpu_name();

/// Reads memory from end to end, as fast as one thread can. The result depends on every byte, so that no
/// compiler leaves a read out. `bytes` is 64-byte aligned; what is beyond a multiple of 256 is left.
uint64_t stream(std::span<const std::byte> bytes) noexcept;

/// What a plain read of this memory reaches when it is read again and again: the median of several passes.
double streaming_gb_per_s(std::span<const std::byte> bytes);

/// Takes the caches from whatever was in them.
class CacheSweeper {
 public:
  CacheSweeper();
  void sweep() const noexcept;

 private:
  struct Free {
    void operator()(std::byte* memory) const noexcept;
  };
  size_t size_;
  std::unique_ptr<std::byte, Free> memory_;
};

/// A loop of `steps` dependent multiplications: no memory, no branch but its own.
void spin(uint64_t steps) noexcept;

}  // namespace kinglet::latency
