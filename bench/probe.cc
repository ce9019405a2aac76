// SPDX-License-Identifier: Apache-2.0
//
// The loops of the probe, once per target: independent chains of x = x * a + b in registers, and nothing else.

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
#include <limits>
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
};

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

extern const ProbeLoops kLoops;
constexpr ProbeLoops kLoops = {MakeLoop<float>(), MakeLoop<double>()};

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

template <typename T>
double Measure(const ProbeLoop<T>& loop) {
  // The chains tend to 1, far from the numbers that slow a CPU down.
  T chains[kMaxElements] = {};
  const auto seconds = [&](std::int64_t steps) {
    const double begin = ThreadCpuSeconds();
    loop.run(chains, T{0.5}, T{0.5}, steps);
    return ThreadCpuSeconds() - begin;
  };
  std::int64_t steps = 1 << 10;
  while (seconds(steps) < 2e-4) steps *= 2;
  double best = seconds(steps);
  for (int burst = 0; burst < 4; ++burst) best = std::min(best, seconds(steps));
  return static_cast<double>(steps * loop.flops_per_step) / best * 1e-9;
}

}  // namespace

double ThreadCpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double ClockGhz() {
  // A chain of exclusive ors: every CPU does one per cycle, and the loop around it beside it.
  constexpr int kSteps = 200000;
  std::uint64_t x = 1;
  std::uint64_t y = 3;
  double best = std::numeric_limits<double>::infinity();
  for (int burst = 0; burst < 5; ++burst) {
    const double begin = ThreadCpuSeconds();
    for (int i = 0; i < kSteps; ++i) {
      x ^= y;
      __asm__ volatile("" : "+r"(x), "+r"(y));  // or the compiler would do several at once
    }
    best = std::min(best, ThreadCpuSeconds() - begin);
  }
  return kSteps / best * 1e-9;
}

double MeasurePeak(Tier tier, ElementType type) {
  const ProbeLoops& loops = *kLoopsOf[static_cast<int>(tier)];
  return type == ElementType::kF32 ? Measure(loops.f32) : Measure(loops.f64);
}

}  // namespace lanewise::bench
#endif  // HWY_ONCE
