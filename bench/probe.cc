// SPDX-License-Identifier: Apache-2.0
//
// The loops of the probe, once per target: independent chains of x = x * a + b in registers, and loads whose values are
// gathered by an or, and nothing else.

#include "probe.h"

#include "targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "probe.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include <ctime>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <utility>

#ifndef LANEWISE_BENCH_PROBE_CC_
#define LANEWISE_BENCH_PROBE_CC_
namespace lanewise::bench {

// Does `steps` steps of `flops_per_step`; `chains` are the values at the start and at the end.
template <typename T>
struct ProbeLoop {
  void (*run)(T* chains, T factor, T summand, std::int64_t steps);
  std::int64_t flops_per_step;
};

// A bound on chains x lanes of all targets.
inline constexpr int kMaxElements = 24 * 16;

struct ProbeLoops {
  ProbeLoop<float> f32;
  ProbeLoop<double> f64;
  // All bits that are set in any of the n numbers, a multiple of kReadBlock.
  std::uint32_t (*read)(const std::uint32_t* numbers, std::size_t n);
};

// What the read loops take at a time: 8 vectors of any target.
inline constexpr std::size_t kReadBlock = 8 * 16;

}  // namespace lanewise::bench
#endif  // LANEWISE_BENCH_PROBE_CC_

HWY_BEFORE_NAMESPACE();
namespace lanewise::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// An FMA takes 4 cycles and 2 to 4 of them start per cycle, a multiplication and an addition 6 to 8 together: 12 chains
// keep x86 busy and fit into 16 registers; targets with 32 have room for more.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr std::size_t kChains = 24;
#else
constexpr std::size_t kChains = 12;
#endif

// As in the GEMM kernels, the indices are template parameters so that the array dissolves into registers.
template <typename T, std::size_t... kI>
HWY_INLINE void RunChains(T* chains, T factor, T summand, std::int64_t steps, std::index_sequence<kI...>) {
  const hn::ScalableTag<T> d;
  const auto a = hn::Set(d, factor);
  const auto b = hn::Set(d, summand);
  hn::Vec<hn::ScalableTag<T>> acc[kChains] = {hn::LoadU(d, chains + kI * HWY_LANES(T))...};
  for (; steps != 0; --steps) ((acc[kI] = hn::MulAdd(acc[kI], a, b)), ...);
  (hn::StoreU(acc[kI], d, chains + kI * HWY_LANES(T)), ...);
}

template <typename T>
void Run(T* chains, T factor, T summand, std::int64_t steps) {
  RunChains(chains, factor, summand, steps, std::make_index_sequence<kChains>());
}

template <typename T>
constexpr ProbeLoop<T> MakeLoop() {
  static_assert(kChains * HWY_LANES(T) <= kMaxElements);
  return {&Run<T>, 2 * kChains * HWY_LANES(T)};
}

// Eight chains, as an or takes a cycle and no CPU loads more than four vectors in one. They read the four quarters of
// the array side by side: from memory Zen 3 reads four streams 1.5 times as fast as one.
template <std::size_t... kI>
HWY_INLINE std::uint32_t ReadChains(const std::uint32_t* numbers, std::size_t n, std::index_sequence<kI...>) {
  const hn::ScalableTag<std::uint32_t> d;
  constexpr std::size_t kLanes = HWY_LANES(std::uint32_t);
  hn::Vec<hn::ScalableTag<std::uint32_t>> acc[8] = {((void)kI, hn::Zero(d))...};
  const std::size_t quarter = n / 4;
  for (std::size_t i = 0; i < quarter; i += 2 * kLanes) {
    ((acc[kI] = hn::Or(acc[kI], hn::Load(d, numbers + kI / 2 * quarter + i + kI % 2 * kLanes))), ...);
  }
  std::uint32_t lanes[8 * kLanes];
  (hn::StoreU(acc[kI], d, lanes + kI * kLanes), ...);
  std::uint32_t bits = 0;
  for (const std::uint32_t lane : lanes) bits |= lane;
  return bits;
}

std::uint32_t Read(const std::uint32_t* numbers, std::size_t n) {
  return ReadChains(numbers, n, std::make_index_sequence<8>());
}

extern const ProbeLoops kLoops;
constexpr ProbeLoops kLoops = {MakeLoop<float>(), MakeLoop<double>(), &Read};

}  // namespace lanewise::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lanewise::bench {

#define LANEWISE_TIER(id, name, numeric_class, highway_target, highway_namespace, cpu_features) \
  namespace highway_namespace {                                                                 \
  extern const ProbeLoops kLoops;                                                               \
  }
#include "lanewise/tiers.inc"
#undef LANEWISE_TIER

namespace {

constexpr const ProbeLoops* kLoopsOf[] = {
#define LANEWISE_TIER(id, name, numeric_class, highway_target, highway_namespace, cpu_features) \
  (HWY_TARGETS & (highway_target)) != 0 ? &highway_namespace::kLoops : nullptr,
#include "lanewise/tiers.inc"
#undef LANEWISE_TIER
};

// Seconds of one step of `run`, which does as many as it is told: the best of several bursts of 0.2 ms at least.
template <class Run>
double SecondsPerStep(std::int64_t steps, const Run& run) {
  const auto seconds = [&] {
    const double begin = ThreadCpuSeconds();
    run(steps);
    return ThreadCpuSeconds() - begin;
  };
  while (seconds() < 2e-4) steps *= 2;
  double best = seconds();
  for (int burst = 0; burst < 4; ++burst) best = std::min(best, seconds());
  return best / static_cast<double>(steps);
}

template <typename T>
double Measure(const ProbeLoop<T>& loop) {
  // The chains tend to 1, far from the numbers that slow a CPU down.
  T chains[kMaxElements] = {};
  const double seconds = SecondsPerStep(1 << 10, [&](std::int64_t steps) { loop.run(chains, T{0.5}, T{0.5}, steps); });
  return static_cast<double>(loop.flops_per_step) / seconds * 1e-9;
}

}  // namespace

double ThreadCpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double ClockGhz() {
  // A chain of additions: every CPU does one per cycle. In assembly, as a compiler's loop would have moves in the
  // chain.
  constexpr int kSteps = 200000;
  std::uint64_t x = 1;
  double best = std::numeric_limits<double>::infinity();
  for (int burst = 0; burst < 5; ++burst) {
    const double begin = ThreadCpuSeconds();
    for (int i = 0; i < kSteps; i += 50) {
#if defined(__aarch64__)
      __asm__ volatile(".rept 50\n add %0, %0, %0\n .endr" : "+r"(x));
#else
      __asm__ volatile(".rept 50\n add %0, %0\n .endr" : "+r"(x));
#endif
    }
    best = std::min(best, ThreadCpuSeconds() - begin);
  }
  return kSteps / best * 1e-9;
}

double MeasurePeak(Tier tier, ElementType type) {
  const ProbeLoops& loops = *kLoopsOf[static_cast<int>(tier)];
  return type == ElementType::kF32 ? Measure(loops.f32) : Measure(loops.f64);
}

double MeasureReads(Tier tier, std::size_t bytes) {
  const auto read = kLoopsOf[static_cast<int>(tier)]->read;
  const std::size_t n = std::max<std::size_t>(1, bytes / (4 * kReadBlock)) * kReadBlock;
  const std::unique_ptr<std::uint32_t, decltype(&std::free)> numbers(
      static_cast<std::uint32_t*>(std::aligned_alloc(4096, (4 * n + 4095) / 4096 * 4096)), &std::free);
  if (numbers == nullptr) throw std::bad_alloc();
  std::fill_n(numbers.get(), n, 1);
  std::uint32_t bits = 0;
  const double seconds = SecondsPerStep(1, [&](std::int64_t passes) {
    for (std::int64_t i = 0; i < passes; ++i) bits |= read(numbers.get(), n);
  });
  return bits == 1 ? 4e-9 * static_cast<double>(n) / seconds : 0;
}

}  // namespace lanewise::bench
#endif  // HWY_ONCE
