#include "allocations.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define KINGLET_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KINGLET_SANITIZED
#endif

#if defined(__GLIBC__) && !defined(KINGLET_SANITIZED)

namespace {
// Of each thread, so that threads that allocate much do not share a cache line; of a kind whose first use
// allocates nothing itself.
__attribute__((tls_model("initial-exec"))) thread_local uint64_t calls = 0;
}  // namespace

// Definitions in the program stand before the libraries' own: every call in the process comes here first.
extern "C" {

// glibc names what stands behind malloc. NOLINTBEGIN(bugprone-reserved-identifier)
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* block);
// NOLINTEND(bugprone-reserved-identifier)

void* malloc(size_t size) {
  ++calls;
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  ++calls;
  return __libc_calloc(count, size);
}
void* realloc(void* block, size_t size) {
  ++calls;
  return __libc_realloc(block, size);
}
void* memalign(size_t alignment, size_t size) {
  ++calls;
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  ++calls;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, size_t alignment, size_t size) {
  ++calls;
  void* const made = __libc_memalign(alignment, size);
  if (made == nullptr) return ENOMEM;
  *block = made;
  return 0;
}
void free(void* block) {
  if (block != nullptr) ++calls;
  __libc_free(block);
}

}  // extern "C"

std::optional<uint64_t> kinglet::latency::heap_calls() noexcept {
  return calls;
}

#else

std::optional<uint64_t> kinglet::latency::heap_calls() noexcept {
  return std::nullopt;
}

#endif
