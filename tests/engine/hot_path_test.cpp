// Proves each word of Session's promise: score() allocates nothing, takes no lock, throws nothing, makes no system call and
// writes to nothing shared.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <thread>
#include <vector>

#include "kinglet/kinglet.h"
#include "kinglet/history/builder.h"
#include "support/small_model.h"

namespace {

std::atomic<uint64_t> allocations{0};
std::atomic<uint64_t> locks{0};
std::atomic<uint64_t> throws{0};

}  // namespace

// The test program's own definitions stand before libc's: every call in the process is counted.
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}
