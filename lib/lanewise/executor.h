// SPDX-License-Identifier: Apache-2.0
//
// Who runs the parts of a large operation: an interface that a program can replace by its own threads, the default
// ThreadPool, and an executor without threads. Knows nothing of matrices: what is split, and whether that pays, is
// decided where an operation is planned.

#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace lanewise {

// Runs independent tasks. Tasks do not throw. Results never depend on the executor: which thread runs a task, in
// which order and how many at once changes no bit.
class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  // How many tasks can run at once, the calling thread included; at least 1.
  virtual int Threads() const = 0;

  // Calls task(context, i) exactly once for each i in [0, tasks), in any order, and returns when all calls have
  // returned; what they wrote is then visible to the caller. Must accept calls from inside a task and from several
  // threads at once (running the tasks one after the other is fine). Tasks must see the caller's floating-point
  // environment. The library calls this without allocating memory; whether the executor allocates is its own affair.
  virtual void Run(int tasks, void (*task)(void* context, int index), void* context) = 0;
};

// executor.Run for a callable: body(i) for each i in [0, tasks). The callable is used in place, nothing is copied.
template <typename Body>
void RunTasks(Executor& executor, int tasks, const Body& body) {
  executor.Run(
      tasks, [](void* context, int index) { (*static_cast<const Body*>(context))(index); }, const_cast<Body*>(&body));
}

// Runs every task on the calling thread, in ascending order.
class SerialExecutor final : public Executor {
 public:
  int Threads() const override { return 1; }
  void Run(int tasks, void (*task)(void* context, int index), void* context) override {
    for (int i = 0; i < tasks; ++i) task(context, i);
  }
};

// What the system grants this process. Reads the system's files at each call.
struct CpuLimits {
  int online = 1;                                          // CPUs of the machine; in a container too
  std::vector<int> allowed = {0};                          // the numbers of those in the calling thread's affinity mask
  double quota = std::numeric_limits<double>::infinity();  // CPUs of time that cgroups (v1 or v2) grant
};
CpuLimits ThisCpuLimits();

// How many threads suit this process, and why ("2 CPUs in the affinity mask", "cgroup quota of 1.50 CPUs").
struct ThreadCount {
  int threads = 1;
  std::string reason;
};

// The allowed CPUs, or fewer if a cgroup (v1 or v2) limits the CPU time; at least 1. A quota is rounded down: threads
// beyond it would stall the others until the quota's next period. Without an argument, by ThisCpuLimits().
ThreadCount DefaultThreads(const CpuLimits& limits);
ThreadCount DefaultThreads();

// The default executor: threads that wait for tasks, the caller working along with them. Thread-safe:
//
// - They are started by the first Run that has several tasks, and again in a child process after fork(), where the
//   parent's do not exist. Where some cannot be created there are fewer (at worst none), and Threads() says so.
// - A waiting thread spins for a millisecond before it sleeps in the kernel.
// - A call from inside a task, or while another thread's Run is at work, runs its tasks on the calling thread.
// - Threads run tasks with the floating-point control settings (rounding, denormals) of the caller of Run.
// - After the first, Run allocates nothing.
//
// Destruction waits for the threads to end; no Run may be in progress then.
class ThreadPool final : public Executor {
 public:
  // At most `threads` tasks at once, the caller's included; values below 1 count as 1.
  explicit ThreadPool(int threads = DefaultThreads().threads);
  ~ThreadPool() override;

  int Threads() const override { return threads_.load(std::memory_order_relaxed); }
  void Run(int tasks, void (*task)(void* context, int index), void* context) override;

 private:
  struct Team;  // the threads of one process and the tasks they share

  void StartTeam(int pid);

  std::atomic<int> threads_;
  std::atomic<int> owner_{0};  // the process in which some caller has the team; 0: free
  std::unique_ptr<Team> team_;
};

}  // namespace lanewise
