#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace kinglet {

/// One zeroed block of memory that stages book parts of before it exists: book() everything, then allocate()
/// once, then take the parts. After allocate() nothing allocates again.
class Arena {
 public:
  static constexpr size_t kAlignment = 64;

  /// Returns the part's offset. Only before allocate().
  template <typename T>
  size_t book(size_t count) {
    const size_t offset = size_;
    size_ += (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    return offset;
  }

  void allocate() {
    block_.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, size_ == 0 ? kAlignment : size_)));
    if (block_ == nullptr) throw std::bad_alloc();
    std::memset(block_.get(), 0, size_);
  }

  template <typename T>
  T* part(size_t offset) const noexcept {
    return reinterpret_cast<T*>(block_.get() + offset);
  }

 private:
  struct Free {
    void operator()(std::byte* block) const noexcept { std::free(block); }
  };
  size_t size_ = 0;
  std::unique_ptr<std::byte, Free> block_;
};

}  // namespace kinglet
