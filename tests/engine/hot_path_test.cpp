// Proves each word of Session's promise: score() allocates nothing, takes no lock, throws nothing and makes
// no system call. (That it writes to nothing shared: threads_test.cpp, under ThreadSanitizer, and the
// read-only mappings of model and history.) Not built under sanitizers, whose run-time allocates and locks by
// itself.
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kinglet/formats/row_reader.h"
#include "kinglet/session.h"

#include "support/small_world.h"

namespace {

std::atomic<uint64_t> allocations{0};
std::atomic<uint64_t> locks{0};
std::atomic<uint64_t> throws{0};

template <typename Function>
Function* next_symbol(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// Definitions in the program stand before the libraries' own: every call in the process comes here first.
extern "C" {

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* block);

void* malloc(size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* block, size_t size) {
  ++allocations;
  return __libc_realloc(block, size);
}
void* memalign(size_t alignment, size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, size_t alignment, size_t size) {
  ++allocations;
  *block = __libc_memalign(alignment, size);
  return *block == nullptr ? ENOMEM : 0;
}
void free(void* block) {
  if (block != nullptr) ++allocations;
  __libc_free(block);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) {
  ++locks;
  static auto* next = next_symbol<int(pthread_mutex_t*)>("pthread_mutex_lock");
  return next(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* lock) {
  ++locks;
  static auto* next = next_symbol<int(pthread_rwlock_t*)>("pthread_rwlock_rdlock");
  return next(lock);
}
int pthread_rwlock_wrlock(pthread_rwlock_t* lock) {
  ++locks;
  static auto* next = next_symbol<int(pthread_rwlock_t*)>("pthread_rwlock_wrlock");
  return next(lock);
}
void __cxa_throw(void* object, void* type, void (*destructor)(void*)) {
  ++throws;
  static auto* next = next_symbol<void(void*, void*, void (*)(void*))>("__cxa_throw");
  next(object, type, destructor);
  std::abort();
}

}  // extern "C"

namespace {

using kinglet::Model;
using kinglet::Session;
using kinglet::Status;
using kinglet::formats::HistoryFile;

struct Counters {
  uint64_t allocations, locks, throws;
};
Counters counted() {
  return {allocations, locks, throws};
}

/// The dense network in fp32, or in 8 bits with two layers folded and rows of frequent values, or one that
/// reads the mean of token vectors.
enum class Kind { dense, skeleton, token_mean };
constexpr Kind kKinds[] = {Kind::dense, Kind::skeleton, Kind::token_mean};

/// A model, a history and parsed rows that stay valid: everything score(row, history) needs.
struct Fixture {
  explicit Fixture(Kind kind)
      : world(dir, 400), model(Model::open(write_model(kind))), history(world.history) {
    kinglet::formats::RowReader reader({world.score});
    kinglet::Row row;
    for (int i = 0; i < 40 && reader.next(row); ++i) {
      kinglet::Row& kept = rows.emplace_back(row);
      tokens.emplace_back(row.tokens.begin(), row.tokens.end());
      kept.tokens = tokens.back();
      names.push_back({std::string(row.tweet_id), std::string(row.language), std::string(row.author_id),
                       std::string(row.reader_id)});
      kept.tweet_id = names.back()[0];
      kept.language = names.back()[1];
      kept.author_id = names.back()[2];
      kept.reader_id = names.back()[3];
      hashtags.emplace_back(row.hashtags.begin(), row.hashtags.end());
      hashtag_views.emplace_back(hashtags.back().begin(), hashtags.back().end());
      kept.hashtags = hashtag_views.back();
    }
  }

  std::filesystem::path write_model(Kind kind) const {
    kinglet::synthetic::NetworkOptions network;
    network.hidden = 64;
    constexpr uint32_t kVocabulary = 30'522;
    if (kind == Kind::token_mean) {
      network.depth = 1;
      network.width = 64;
      return kinglet::test::write_mean_model(dir, network, kVocabulary);
    }
    return kind == Kind::dense ? kinglet::test::write_model(dir, network, kVocabulary)
                               : kinglet::test::write_skeleton_model(dir, world, network, kVocabulary);
  }

  /// True if all went well; scores every row both ways.
  bool score_all(Session& session) const noexcept {
    bool ok = true;
    kinglet::Scores scores;
    for (const kinglet::Row& row : rows) ok &= session.score(row, history, scores) == Status::ok;
    const double numerics[73] = {1, 2, 3};
    const uint32_t categories[3] = {0, 12, 30};
    ok &= session.score({rows[0].tokens, numerics, 5, categories}, scores) == Status::ok;
    ok &= session.score({rows[0].tokens, {}, 5, categories}, scores) == Status::wrong_numeric_count;
    return ok;
  }

  kinglet::test::TempDir dir;
  kinglet::test::SmallWorld world;
  Model model;
  HistoryFile history;
  std::vector<kinglet::Row> rows;
  std::deque<std::vector<uint32_t>> tokens;
  std::deque<std::array<std::string, 4>> names;
  std::deque<std::vector<std::string>> hashtags;
  std::deque<std::vector<std::string_view>> hashtag_views;
};

/// From here on any system call but exit_group kills the process with SIGSYS.
bool forbid_system_calls() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog program{std::size(filter), filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

constexpr int kNoSeccomp = 77;

/// Runs `work` in a child that may make no system call, and returns how it ended (waitpid's status).
template <typename Work>
int run_without_system_calls(Work&& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!forbid_system_calls()) ::_exit(kNoSeccomp);
    ::_exit(work() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

}  // namespace

TEST_CASE("the counters of this test count") {
  const Counters before = counted();
  std::mutex mutex;
  { const std::lock_guard lock(mutex); }
  delete new int(1);
  try {
    throw 1;
  } catch (int) {
  }
  const Counters after = counted();
  CHECK(after.allocations >= before.allocations + 2);
  CHECK(after.locks > before.locks);
  CHECK(after.throws == before.throws + 1);
}

TEST_CASE("score allocates nothing, locks nothing and throws nothing, from the first call on") {
  for (const Kind kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    const Fixture fixture(kind);
    REQUIRE(fixture.rows.size() == 40);
    Session session(fixture.model);
    const Counters before = counted();
    const bool ok = fixture.score_all(session);
    const Counters after = counted();
    CHECK(ok);
    CHECK(after.allocations == before.allocations);
    CHECK(after.locks == before.locks);
    CHECK(after.throws == before.throws);
  }
}

TEST_CASE("score makes no system call: a process that may make none survives it") {
  const int harmless = run_without_system_calls([] { return true; });
  if (WIFEXITED(harmless) && WEXITSTATUS(harmless) == kNoSeccomp) {
    return kinglet::test::report_skipped("this system has no seccomp filters");
  }
  const int caught = run_without_system_calls([] { return ::syscall(SYS_getppid) > 0; });
  CHECK(WIFSIGNALED(caught));
  CHECK(WTERMSIG(caught) == SIGSYS);
  for (const Kind kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    const Fixture fixture(kind);
    Session session(fixture.model);
    const int scored = run_without_system_calls([&] { return fixture.score_all(session); });
    CHECK(WIFEXITED(scored));
    CHECK(WEXITSTATUS(scored) == 0);
  }
}
