// SPDX-License-Identifier: Apache-2.0
//
// The thread pool. Its whole protocol is one counter: `remaining`, the tasks of the current Run that nobody has
// claimed yet. A thread claims one by counting it down, and only then reads what the tasks are: Run cannot return, nor
// another begin, before a claimed task is finished, so that what it reads is stable. A thread that wakes late finds 0
// and sleeps again; nobody waits for it. The caller takes tasks from the first on, the others from the last on, so that
// of two threads each gets in every Run what its caches hold since the last.

#include "lanewise/executor.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lanewise {
namespace {

// How long a thread spins before it sleeps: longer than a program computes on one thread between two products. Waking
// one that sleeps took the caller 2 to 10 us in a virtual machine (Zen 5), and the other 50 until it ran; one that
// spins has its task within 0.3. Spins between two looks at the clock: one takes about 140 cycles on Skylake and its
// successors, 40 on others.
constexpr std::chrono::microseconds kSpinTime(1000);
constexpr int kSpins = 64;

#if defined(__x86_64__)

void Pause() { _mm_pause(); }

// MXCSR without its sticky exception flags (bits 0 to 5).
std::uint64_t FloatingPointControl() { return _mm_getcsr() & ~0x3Fu; }
void SetFloatingPointControl(std::uint64_t control) { _mm_setcsr(static_cast<unsigned>(control)); }

#elif defined(__aarch64__)

void Pause() { asm volatile("isb"); }  // as long as x86's pause; "yield" does nothing on most cores

std::uint64_t FloatingPointControl() {
  std::uint64_t fpcr;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  return fpcr;
}
void SetFloatingPointControl(std::uint64_t control) { asm volatile("msr fpcr, %0" : : "r"(control)); }

#else
#error "the floating-point control register of this architecture is not known"
#endif

// Waits until `word` is not `value`: spins, then sleeps. Returns what it became.
int WaitWhile(std::atomic<int>& word, int value) {
  using Clock = std::chrono::steady_clock;
  int seen = word.load(std::memory_order_acquire);
  if (seen != value) return seen;
  for (const auto end = Clock::now() + kSpinTime; seen == value && Clock::now() < end;) {
    for (int i = 0; seen == value && i < kSpins; ++i) {
      Pause();
      seen = word.load(std::memory_order_acquire);
    }
  }
  while (seen == value) {
    word.wait(value, std::memory_order_acquire);
    seen = word.load(std::memory_order_acquire);
  }
  return seen;
}

}  // namespace

struct ThreadPool::Team {
  static constexpr int kStop = -1;

  // Starts `workers` threads, or as many as the system allows.
  Team(int pid_in, int workers) : pid(pid_in) {
    try {
      threads.reserve(static_cast<std::size_t>(workers));
      for (int i = 0; i < workers; ++i) threads.emplace_back([this] { Work(); });
    } catch (const std::exception&) {
      // Out of threads or memory: those that started are the team.
    }
  }

  ~Team() {
    remaining.store(kStop);
    remaining.notify_all();
    for (std::thread& thread : threads) thread.join();
  }

  void Run(int tasks_in, void (*task_in)(void* context, int index), void* context_in) {
    tasks = tasks_in;
    task = task_in;
    context = context_in;
    control = FloatingPointControl();
    from_last.store(0, std::memory_order_relaxed);
    unfinished.store(tasks, std::memory_order_relaxed);
    // Publishes all of the above. Sequentially consistent (as is the count in Work), because whether a sleeper must be
    // woken is decided by a load that follows.
    remaining.store(tasks);
    if (tasks > static_cast<int>(threads.size())) {
      remaining.notify_all();
    } else {
      for (int i = 1; i < tasks; ++i) remaining.notify_one();
    }

    int next = 0;
    int left = remaining.load(std::memory_order_acquire);
    while (left > 0) {
      if (!Claim(left)) continue;
      task(context, next++);
      unfinished.fetch_sub(1, std::memory_order_acq_rel);
      left = remaining.load(std::memory_order_acquire);
    }
    for (left = unfinished.load(std::memory_order_acquire); left != 0;) left = WaitWhile(unfinished, left);
  }

  // A thread's life.
  void Work() {
    for (int left = 0; left != kStop;) {
      left = WaitWhile(remaining, 0);
      if (left == kStop || !Claim(left)) continue;
      SetFloatingPointControl(control);
      task(context, tasks - 1 - from_last.fetch_add(1, std::memory_order_relaxed));
      if (unfinished.fetch_sub(1) == 1) unfinished.notify_one();
    }
  }

  // Claims a task, if `left` is still what remains; else updates `left`.
  bool Claim(int& left) {
    return remaining.compare_exchange_strong(left, left - 1, std::memory_order_acquire, std::memory_order_acquire);
  }

  // 64: all threads write these, so each has a cache line to itself.
  alignas(64) std::atomic<int> remaining{0};   // tasks not yet claimed, or kStop
  alignas(64) std::atomic<int> from_last{0};   // tasks that others than the caller have claimed
  alignas(64) std::atomic<int> unfinished{0};  // tasks that have not returned

  alignas(64) const int pid;
  std::vector<std::thread> threads;

  // The current Run, written by its caller before `remaining` is.
  int tasks = 0;
  void (*task)(void* context, int index) = nullptr;
  void* context = nullptr;
  std::uint64_t control = 0;
};

ThreadPool::ThreadPool(int threads) : threads_(std::max(threads, 1)) {}

ThreadPool::~ThreadPool() {
  if (team_ != nullptr && team_->pid != getpid()) (void)team_.release();  // see StartTeam
}

void ThreadPool::Run(int tasks, void (*task)(void* context, int index), void* context) {
  if (tasks <= 1 || Threads() == 1) return SerialExecutor().Run(tasks, task, context);
  const int pid = getpid();
  // An owner that is another process: this one was forked while a Run was at work there. Here there is none.
  int owner = owner_.load(std::memory_order_relaxed);
  if (owner == pid || !owner_.compare_exchange_strong(owner, pid)) return SerialExecutor().Run(tasks, task, context);
  if (team_ == nullptr || team_->pid != pid) StartTeam(pid);
  if (team_ != nullptr) {
    team_->Run(tasks, task, context);
  } else {
    SerialExecutor().Run(tasks, task, context);
  }
  owner_.store(0, std::memory_order_release);
}

void ThreadPool::StartTeam(int pid) {
  // In a forked child the parent's threads are gone and must not be joined or touched: their team is left where it is.
  (void)team_.release();
  try {
    team_ = std::make_unique<Team>(pid, Threads() - 1);
  } catch (const std::exception&) {
    // Out of memory: no threads.
  }
  threads_.store(team_ == nullptr ? 1 : static_cast<int>(team_->threads.size()) + 1, std::memory_order_relaxed);
}

}  // namespace lanewise
