#include "machine.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <string_view>
#include <vector>

#include <unistd.h>

#if defined(__x86_64__)
#define KINGLET_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define KINGLET_CLONES
#endif

namespace kinglet::latency {
namespace {

constexpr size_t kLine = 64;
constexpr size_t kUnknownCache = size_t{64} << 20;

double microseconds_since(Clock::time_point start) {
  return microseconds(Clock::now() - start);
}

size_t last_cache_bytes() {
#ifdef _SC_LEVEL3_CACHE_SIZE
  if (const long size = ::sysconf(_SC_LEVEL3_CACHE_SIZE); size > 0) return static_cast<size_t>(size);
#endif
  return kUnknownCache;
}

}  // namespace

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    const size_t start = line.find_first_not_of(" \t", line.find(':') + 1);
    if (start != std::string::npos) return line.substr(start);
  }
  return "unknown CPU";
}

KINGLET_CLONES uint64_t stream(std::span<const std::byte> bytes) noexcept {
  using Line __attribute__((vector_size(kLine))) = uint64_t;
  Line a{};
  Line b{};
  Line c{};
  Line d{};
  const auto* lines = reinterpret_cast<const Line*>(bytes.data());
  for (size_t i = 0; i + 4 <= bytes.size() / kLine; i += 4) {
    a ^= lines[i];
    b ^= lines[i + 1];
    c ^= lines[i + 2];
    d ^= lines[i + 3];
  }
  a ^= b ^ c ^ d;
  return a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7];
}

double streaming_gb_per_s(std::span<const std::byte> bytes) {
  constexpr size_t kPasses = 7;
  constexpr size_t kShortest = size_t{32} << 20;  // bytes of one pass: some milliseconds
  const size_t reads = std::max<size_t>(1, kShortest / std::max<size_t>(bytes.size(), 1));
  volatile uint64_t result = stream(bytes);
  std::vector<double> rates;
  for (size_t pass = 0; pass < kPasses; ++pass) {
    const auto start = Clock::now();
    for (size_t i = 0; i < reads; ++i) result = stream(bytes);
    const double seconds = microseconds_since(start) * 1e-6;
    rates.push_back(static_cast<double>(reads * bytes.size()) / seconds * 1e-9);
  }
  static_cast<void>(result);
  std::sort(rates.begin(), rates.end());
  return rates[kPasses / 2];
}

CacheSweeper::CacheSweeper()
    : size_(2 * last_cache_bytes() / kLine * kLine),
      memory_(static_cast<std::byte*>(std::aligned_alloc(kLine, size_))) {
  if (!memory_) throw std::bad_alloc();
  std::memset(memory_.get(), 1, size_);  // pages of its own, not the one page of zeros
}

void CacheSweeper::Free::operator()(std::byte* memory) const noexcept {
  std::free(memory);
}

void CacheSweeper::sweep() const noexcept {
  volatile const uint64_t result = stream({memory_.get(), size_});
  static_cast<void>(result);
}

void spin(uint64_t steps) noexcept {
  uint64_t value = steps | 1;
  for (uint64_t i = 0; i < steps; ++i) value = value * 6'364'136'223'846'793'005U + 1;
  volatile const uint64_t result = value;
  static_cast<void>(result);
}

}  // namespace kinglet::latency
