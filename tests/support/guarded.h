#pragma once

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include <sys/mman.h>
#include <unistd.h>

namespace kinglet::test {

/// `count` elements that end exactly at (or, Side::begin, begin exactly behind) a page that may not be
/// touched: reading or writing one byte too far is a fault. The other side has a guard page too, up to
/// alignment.
template <typename T>
class Guarded {
 public:
  enum class Side { begin, end };

  explicit Guarded(size_t count, Side side = Side::end) : count_(count) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const size_t bytes = count * sizeof(T);
    const size_t inner = (bytes + page - 1) / page * page;
    size_ = inner + 2 * page;
    void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("mmap");
    base_ = static_cast<std::byte*>(memory);
    ::mprotect(base_, page, PROT_NONE);
    ::mprotect(base_ + page + inner, page, PROT_NONE);
    data_ = reinterpret_cast<T*>(base_ + page + (side == Side::end ? inner - bytes : 0));
  }
  ~Guarded() { ::munmap(base_, size_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return count_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + count_; }

 private:
  static_assert(std::is_trivially_copyable_v<T>);
  std::byte* base_;
  size_t size_;
  T* data_;
  size_t count_;
};

}  // namespace kinglet::test
