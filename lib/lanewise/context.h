// SPDX-License-Identifier: Apache-2.0
//
// Context: what every computation needs and takes as its first argument: the kernels that run, the threads they run
// on, and scratch memory.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "lanewise/cpu.h"
#include "lanewise/executor.h"
#include "lanewise/isa.h"
#include "lanewise/status.h"

namespace lanewise {

namespace internal {
class PlanCache;
}

// What planning knows about the machine. Plain data, so that a plan for any machine can be made anywhere.
struct Machine {
  std::size_t l1d = 32 * 1024;  // bytes, of one core
  std::size_t l2 = 0;           // likewise
  // Multiply-adds below which a second thread does not pay: a core with 512-bit vectors does them in about 15 us, and
  // waking a thread that sleeps takes about 5. A fact about the machine with a default, not something measured inside.
  double thread_break_even = 2e6;

  // From the CPU's caches; an unknown or absurd size (hypervisors report both) is replaced or clamped: l1d to 16..256
  // KiB (default 32 KiB), l2 to 128 KiB..8 MiB (default 512 KiB).
  static Machine From(const CpuFacts& cpu);

  friend bool operator==(const Machine&, const Machine&) = default;
};

// What scratch memory is for: one call uses several kinds at once.
enum class Scratch : std::uint8_t { kPacking, kActivations };
inline constexpr int kScratchKinds = 2;

// Not shared between threads: one Context, one calling thread at a time. Moveable. Scratch memory grows to what the
// largest call needs and stays; after that no call allocates.
class Context {
 public:
  // Selects kernels by `request` (the grammar of SelectKernels), with that function's errors; kOutOfMemory. An empty
  // request takes the best tier: LANEWISE_ISA is not looked at (RequestFromEnvironment() in environment.h reads it).
  // The first runs on the calling thread alone, the second on `executor`, which must outlive the Context: a ThreadPool,
  // or one of your own.
  static Result<Context> Make(std::string_view request = {});
  static Result<Context> Make(std::string_view request, Executor& executor);

  // The same for kernels that are selected already. These two throw std::bad_alloc where a few kilobytes are not to be
  // had.
  explicit Context(Kernels kernels);
  Context(Kernels kernels, Executor& executor);

  Context(Context&&) noexcept;
  Context& operator=(Context&&) noexcept;
  ~Context();

  const Kernels& kernels() const { return kernels_; }
  Executor& executor() const { return *executor_; }
  const Machine& machine() const { return machine_; }
  // What products are planned for from now on, instead of the CPU at hand: other cache sizes or another break-even of
  // threads. No bit of a result depends on it. Forgets the plans of the last products.
  void set_machine(const Machine& machine);

  // At least `bytes` of scratch memory of a kind, aligned to 64 bytes, valid until the next call for that kind; null if
  // memory is short (or nothing was ever asked for). For the library itself.
  void* ScratchMemory(Scratch kind, std::size_t bytes);

  // The plans of the last products. For the library itself.
  internal::PlanCache& plans();

 private:
  struct Memory;
  Kernels kernels_;
  Executor* executor_;
  Machine machine_;
  std::unique_ptr<Memory> memory_;
};

}  // namespace lanewise
