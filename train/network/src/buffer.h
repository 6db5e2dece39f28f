#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#include <sys/mman.h>

namespace kinglet::train {

/// Zeroed elements of a trivial type, aligned for vectors; large ones ask for huge pages, as the sketch's
/// gradient and weights are read in strides that a table of small pages cannot hold.
template <typename T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t size) : size_(size) {
    if (size == 0) return;
    const size_t alignment = size * sizeof(T) < kHugePage ? kCacheLine : kHugePage;
    const size_t bytes = (size * sizeof(T) + alignment - 1) / alignment * alignment;
    data_.reset(static_cast<T*>(std::aligned_alloc(alignment, bytes)));
    if (!data_) throw std::bad_alloc();
    if (alignment == kHugePage)
      ::madvise(data_.get(), bytes, MADV_HUGEPAGE);  // advice: a refusal changes nothing
    clear();
  }

  T* data() noexcept { return data_.get(); }
  const T* data() const noexcept { return data_.get(); }
  size_t size() const noexcept { return size_; }
  T* begin() noexcept { return data(); }
  T* end() noexcept { return data() + size_; }
  const T* begin() const noexcept { return data(); }
  const T* end() const noexcept { return data() + size_; }
  T& operator[](size_t i) noexcept { return data_.get()[i]; }
  const T& operator[](size_t i) const noexcept { return data_.get()[i]; }
  void clear() noexcept {
    for (size_t i = 0; i < size_; ++i) data_.get()[i] = T{};
  }

 private:
  static constexpr size_t kCacheLine = 64;
  static constexpr size_t kHugePage = size_t{1} << 21;
  struct Free {
    void operator()(T* memory) const noexcept { std::free(memory); }
  };
  size_t size_ = 0;
  std::unique_ptr<T[], Free> data_;
};

}  // namespace kinglet::train
