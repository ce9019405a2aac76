// SPDX-License-Identifier: Apache-2.0
//
// Executors: every index once, from any caller, in a forked child, with too few threads; and the default number of
// threads. Run under the thread sanitizer too.

#include "doctest/doctest.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cfenv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cpu_quota.h"
#include "lanewise/executor.h"

namespace lanewise {
namespace {

constexpr bool kEmulated = LANEWISE_EMULATED;  // qemu's user mode cannot start threads in a forked child

// How many more threads may be created; -1: no limit.
std::atomic<int> g_threads_left{-1};

}  // namespace
}  // namespace lanewise

// Stands before the C library's pthread_create, which std::thread calls: where no more threads may be created it fails
// as a system does that has run out of them. (The C library's own names of the parameters are reserved.)
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
extern "C" [[gnu::visibility("default")]] int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                                             void* (*start)(void*), void* argument) {
  static const auto create = reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  if (lanewise::g_threads_left == 0) return EAGAIN;
  if (lanewise::g_threads_left > 0) --lanewise::g_threads_left;
  return create(thread, attributes, start, argument);
}

namespace lanewise {
namespace {

// Runs `tasks` tasks that take turns on plain memory; whether each index came exactly once.
bool EachOnce(Executor& executor, int tasks) {
  std::vector<int> counts(static_cast<std::size_t>(tasks), 0);
  RunTasks(executor, tasks, [&](int i) { ++counts[static_cast<std::size_t>(i)]; });
  for (int count : counts) {
    if (count != 1) return false;
  }
  return true;
}

// Runs `threads` tasks that wait for each other, so that each is on a thread of its own; the threads' ids. Gives up
// after `patience`, since an executor with fewer threads would wait for ever.
std::size_t ThreadsThatMeet(Executor& executor, int threads,
                            std::chrono::milliseconds patience = std::chrono::seconds(20)) {
  std::atomic<int> arrived{0};
  std::mutex mutex;
  std::set<std::thread::id> ids;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  RunTasks(executor, threads, [&](int) {
    ++arrived;
    while (arrived < threads && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  return ids.size();
}

// Forks; the child's exit code is 0 if `body` returns true there and does so within a minute.
int ExitCodeOfChild(bool (*body)(ThreadPool&), ThreadPool& pool) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(body(pool) ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_CASE("every index runs exactly once, for any number of tasks and threads") {
  SerialExecutor serial;
  CHECK(serial.Threads() == 1);
  for (int tasks : {0, 1, 2, 7}) CHECK(EachOnce(serial, tasks));
  for (int threads : {-1, 0, 1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(pool.Threads() == std::max(threads, 1));
    for (int tasks : {0, 1, 2, 3, 7, 8, 9, 1000}) CHECK(EachOnce(pool, tasks));
  }
}

TEST_CASE("as many tasks run at once as there are threads, the caller's among them") {
  ThreadPool pool(4);
  CHECK(ThreadsThatMeet(pool, 4) == 4);
  std::atomic<bool> on_caller{false};
  std::atomic<int> arrived{0};
  const std::thread::id caller = std::this_thread::get_id();
  RunTasks(pool, 4, [&](int) {
    if (std::this_thread::get_id() == caller) on_caller = true;
    ++arrived;
    while (arrived < 4) std::this_thread::yield();
  });
  CHECK(on_caller);
}

TEST_CASE("many short runs, with and without time to fall asleep between them") {
  ThreadPool pool(3);
  for (int i = 0; i < 5000; ++i) REQUIRE(EachOnce(pool, 1 + i % 5));
  for (int i = 0; i < 50; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    REQUIRE(EachOnce(pool, 3));
  }
}

// What makes a thread find its part of an operand in its own cache.
TEST_CASE("the caller takes tasks from the first on, the others from the last on") {
  ThreadPool pool(2);
  const std::thread::id caller = std::this_thread::get_id();
  for (int i = 0; i < 200; ++i) {
    std::vector<std::thread::id> ran_by(9);
    RunTasks(pool, 9, [&](int task) { ran_by[static_cast<std::size_t>(task)] = std::this_thread::get_id(); });
    const auto first_of_other = std::ranges::find_if(ran_by, [=](std::thread::id id) { return id != caller; });
    CHECK(std::find(first_of_other, ran_by.end(), caller) == ran_by.end());
  }
}

TEST_CASE("a run inside a task runs on the task's thread") {
  ThreadPool pool(3);
  std::vector<int> counts(30, 0);
  std::atomic<int> strayed{0};
  RunTasks(pool, 6, [&](int i) {
    const std::thread::id outer = std::this_thread::get_id();
    RunTasks(pool, 5, [&](int j) {
      ++counts[static_cast<std::size_t>(i) * 5 + static_cast<std::size_t>(j)];
      if (std::this_thread::get_id() != outer) ++strayed;
    });
  });
  CHECK(counts == std::vector<int>(30, 1));
  CHECK(strayed == 0);
}

TEST_CASE("several threads may use one pool at once") {
  ThreadPool pool(3);
  std::atomic<int> failed{0};
  std::vector<std::thread> callers;
  callers.reserve(4);
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 500; ++i) failed += EachOnce(pool, 1 + (i + caller) % 6) ? 0 : 1;
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(failed == 0);
}

TEST_CASE("pools start and end in quick succession, used and unused") {
  for (int i = 0; i < 200; ++i) {
    ThreadPool unused(4);
    ThreadPool pool(4);
    if (i % 4 != 0) REQUIRE(EachOnce(pool, i % 4 + 1));
  }
}

// A sum that tells the four rounding modes apart by its two values.
std::pair<float, float> RoundingMode() {
  volatile float one = 1;
  volatile float tiny = 1e-20f;
  volatile float up = one + tiny;
  volatile float down = -one + tiny;
  return {up, down};
}

TEST_CASE("tasks see the caller's rounding mode, and the caller keeps it") {
  ThreadPool pool(4);
  for (int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST}) {
    REQUIRE(std::fesetround(mode) == 0);
    const std::pair<float, float> expected = RoundingMode();
    std::atomic<int> arrived{0};
    std::atomic<int> same{0};
    RunTasks(pool, 4, [&](int) {
      if (RoundingMode() == expected) ++same;
      ++arrived;
      while (arrived < 4) std::this_thread::yield();  // so that each thread gets one
    });
    CHECK(std::fegetround() == mode);
    CHECK(same == 4);
  }
}

TEST_CASE("tasks flush denormals if and only if the caller does") {
  ThreadPool pool(4);
  const auto flushed = [&] {
    std::atomic<int> arrived{0};
    std::atomic<int> zeros{0};
    RunTasks(pool, 4, [&](int) {
      volatile float smallest = std::numeric_limits<float>::min();
      volatile float half = smallest * 0.5f;
      if (half == 0) ++zeros;
      ++arrived;
      while (arrived < 4) std::this_thread::yield();
    });
    return zeros.load();
  };
#if defined(__x86_64__)
  const unsigned flush = 0x8000;  // MXCSR.FZ
  const unsigned before = __builtin_ia32_stmxcsr();
  CHECK(flushed() == 0);
  __builtin_ia32_ldmxcsr(before | flush);
  const int with_flush = flushed();
  __builtin_ia32_ldmxcsr(before);
  CHECK(with_flush == 4);
#endif
  CHECK(flushed() == 0);
}

TEST_CASE("a forked child starts threads of its own; the parent keeps its own" * doctest::skip(kEmulated)) {
  ThreadPool pool(3);
  const auto works = [](ThreadPool& p) { return p.Threads() == 3 && ThreadsThatMeet(p, 3) == 3 && EachOnce(p, 100); };
  CHECK(ExitCodeOfChild(works, pool) == 0);  // never used before
  CHECK(EachOnce(pool, 10));
  CHECK(ExitCodeOfChild(works, pool) == 0);
  CHECK(ExitCodeOfChild([](ThreadPool& p) { return p.~ThreadPool(), true; }, pool) == 0);
  CHECK(ThreadsThatMeet(pool, 3) == 3);
}

TEST_CASE("a child forked while another thread's run is at work can use the pool" * doctest::skip(kEmulated)) {
  ThreadPool pool(3);
  std::atomic<bool> done{false};
  std::atomic<bool> started{false};
  std::thread busy([&] {
    RunTasks(pool, 3, [&](int) {
      started = true;
      while (!done) std::this_thread::yield();
    });
  });
  while (!started) std::this_thread::yield();
  CHECK(ExitCodeOfChild([](ThreadPool& p) { return EachOnce(p, 100) && ThreadsThatMeet(p, 3) == 3; }, pool) == 0);
  done = true;
  busy.join();
  CHECK(EachOnce(pool, 100));
}

TEST_CASE("where only some threads can be created, they and the caller are the pool, and Threads() says so") {
  for (int created : {0, 1, 3}) {
    ThreadPool pool(8);
    g_threads_left = created;
    CHECK(EachOnce(pool, 100));
    g_threads_left = -1;
    CHECK(pool.Threads() == created + 1);
    CHECK(ThreadsThatMeet(pool, created + 1) == static_cast<std::size_t>(created + 1));
    CHECK(EachOnce(pool, 100));
  }
}

// A directory tree like the system's with the given cgroup files.
class FakeSystem {
 public:
  FakeSystem() : root_(std::filesystem::temp_directory_path() / ("lanewise-quota-" + std::to_string(getpid()))) {
    std::filesystem::remove_all(root_);
  }
  ~FakeSystem() { std::filesystem::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  double Quota() const { return CgroupCpuQuota(root_.string()); }

 private:
  std::filesystem::path root_;
};

TEST_CASE("cgroup quota: v2, the smallest of the group and its parents") {
  FakeSystem system;
  CHECK(std::isinf(system.Quota()));
  system.Write("proc/self/cgroup", "0::/user.slice/job\n");
  CHECK(std::isinf(system.Quota()));
  system.Write("sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
  CHECK(std::isinf(system.Quota()));
  system.Write("sys/fs/cgroup/user.slice/job/cpu.max", "400000 100000\n");
  CHECK(system.Quota() == 4);
  system.Write("sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n");
  CHECK(system.Quota() == 1.5);
}

TEST_CASE("cgroup quota: v1, with the host's path inside a container, and nonsense") {
  FakeSystem system;
  system.Write("proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/docker/abc\n3:cpuset:/\nnonsense\n");
  system.Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  system.Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  CHECK(std::isinf(system.Quota()));
  system.Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
  CHECK(system.Quota() == 0.5);
  system.Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "0\n");
  CHECK(std::isinf(system.Quota()));
  system.Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "many\n");
  CHECK(std::isinf(system.Quota()));
}

TEST_CASE("the default number of threads follows the affinity mask and gives its reason") {
  const ThreadCount all = DefaultThreads();
  CHECK(all.threads >= 1);
  CHECK(!all.reason.empty());
  cpu_set_t before;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  const ThreadCount pinned = DefaultThreads();
  const CpuLimits limits = ThisCpuLimits();
  REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
  CHECK(pinned.threads == 1);
  REQUIRE(limits.allowed.size() == 1);
  CHECK(CPU_ISSET(limits.allowed[0], &one));
  CHECK(limits.online >= 1);
  CHECK(pinned.threads <= all.threads);
  CHECK(pinned.reason.find("1 CPU in the affinity mask") != std::string::npos);
}

}  // namespace
}  // namespace lanewise
