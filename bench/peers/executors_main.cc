// SPDX-License-Identifier: Apache-2.0
//
// lanewise-executor-peers: the thread pool beside OpenMP and pthreadpool: what starting and joining tasks costs, and
// from which size of product on each makes threads pay.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fmt/format.h"
#include "lanewise/context.h"
#include "lanewise/executor.h"
#include "lanewise/gemm.h"

#if defined(LANEWISE_HAVE_PTHREADPOOL)
#include "pthreadpool.h"
#endif

namespace lanewise::peers {
namespace {

class OpenMp final : public Executor {
 public:
  explicit OpenMp(int threads) : threads_(threads) {}
  int Threads() const override { return threads_; }
  void Run(int tasks, void (*task)(void* context, int index), void* context) override {
#pragma omp parallel for num_threads(threads_) schedule(static, 1)
    for (int i = 0; i < tasks; ++i) task(context, i);
  }

 private:
  int threads_;
};

#if defined(LANEWISE_HAVE_PTHREADPOOL)
class PThreadPool final : public Executor {
 public:
  explicit PThreadPool(int threads)
      : pool_(pthreadpool_create(static_cast<std::size_t>(threads)), pthreadpool_destroy), threads_(threads) {}
  int Threads() const override { return threads_; }
  void Run(int tasks, void (*task)(void* context, int index), void* context) override {
    struct Call {
      void (*task)(void* context, int index);
      void* context;
    } call = {task, context};
    pthreadpool_parallelize_1d(
        pool_.get(),
        [](void* of, std::size_t index) {
          const auto* c = static_cast<const Call*>(of);
          c->task(c->context, static_cast<int>(index));
        },
        &call, static_cast<std::size_t>(tasks), /*flags=*/0);
  }

 private:
  std::unique_ptr<pthreadpool, decltype(&pthreadpool_destroy)> pool_;
  int threads_;
};
#endif

using Clock = std::chrono::steady_clock;

template <class Body>
double Seconds(const Body& body) {
  const auto begin = Clock::now();
  body();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double Median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

struct Competitor {
  std::string name;
  std::unique_ptr<Executor> executor;
};

// Of one Run of empty tasks, one for each thread, after a pause.
double RunCost(Executor& executor, std::chrono::microseconds pause) {
  std::vector<double> times;
  const auto empty = [](int /*index*/) {};
  for (int i = 0; i < 200; ++i) {
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
    times.push_back(Seconds([&] { RunTasks(executor, executor.Threads(), empty); }));
  }
  return Median(times);
}

// Speed with the executor over that on one thread, of packed products of `size` cubed that are split whatever their
// size; the two take turns.
double SpeedUp(Executor& executor, std::ptrdiff_t size) {
  const auto count = static_cast<std::size_t>(size * size);
  const std::vector<float> a(count, 0.5F);
  const std::vector<float> b(count, 0.25F);
  std::vector<float> c(count);
  Context one = *Context::Make();
  Context several(one.kernels(), executor);
  Machine machine = one.machine();
  machine.thread_break_even = 0;
  several.set_machine(machine);
  const auto packed = *PackedMatrix<float>::Pack(one.kernels(), {b.data(), size, size});
  const MatrixView<float> out(c.data(), size, size);
  const auto run = [&](Context& context) {
    if (!Gemm<float>(context, {a.data(), size, size}, packed, out).ok()) std::abort();
  };
  const auto repeats = static_cast<int>(std::max(1.0, 2e7 / static_cast<double>(size * size * size)));
  std::vector<double> ratios;
  for (int round = 0; round < 25; ++round) {
    double times[2] = {};
    for (const bool alone : {true, false}) {
      times[alone] = Seconds([&] {
        for (int i = 0; i < repeats; ++i) run(alone ? one : several);
      });
    }
    ratios.push_back(times[true] / times[false]);
  }
  return Median(ratios);
}

int Main() {
  const int threads = DefaultThreads().threads;
  fmt::print("{} threads ({})\n", threads, DefaultThreads().reason);
  if (threads == 1) return 0;
  std::vector<Competitor> competitors;
  competitors.push_back({"lanewise", std::make_unique<ThreadPool>(threads)});
  competitors.push_back({"OpenMP", std::make_unique<OpenMp>(threads)});
#if defined(LANEWISE_HAVE_PTHREADPOOL)
  competitors.push_back({"pthreadpool", std::make_unique<PThreadPool>(threads)});
#endif

  fmt::print("\nOne Run of {} empty tasks, us\n{:<12}", threads, "after");
  const std::chrono::microseconds pauses[] = {std::chrono::microseconds(0), std::chrono::microseconds(50),
                                              std::chrono::microseconds(5000)};
  for (const auto pause : pauses) fmt::print("{:>10}", fmt::format("{} us", pause.count()));
  for (const Competitor& competitor : competitors) {
    fmt::print("\n{:<12}", competitor.name);
    for (const auto pause : pauses) fmt::print("{:>10.2f}", 1e6 * RunCost(*competitor.executor, pause));
  }

  const std::ptrdiff_t sizes[] = {32, 48, 64, 96, 128, 192, 256, 512, 1024};
  fmt::print("\n\nSpeed over one thread, packed f32 products of n x n x n\n{:<12}", "n");
  for (const std::ptrdiff_t size : sizes) fmt::print("{:>7}", size);
  for (const Competitor& competitor : competitors) {
    fmt::print("\n{:<12}", competitor.name);
    for (const std::ptrdiff_t size : sizes) fmt::print("{:>7.2f}", SpeedUp(*competitor.executor, size));
  }
  fmt::print("\n");
  return 0;
}

}  // namespace
}  // namespace lanewise::peers

int main() {
  try {
    return lanewise::peers::Main();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
