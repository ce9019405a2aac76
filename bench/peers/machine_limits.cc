// SPDX-License-Identifier: Apache-2.0
//
// The limits; declared in machine_limits.h.

#include "machine_limits.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "lanewise/cpu.h"
#include "lanewise/isa.h"
#include "lanewise/tier.h"
#include "probe.h"

namespace lanewise::peers {

std::string Limits() {
  // Half of a cache, which leaves room for what else is in it. One that is shared may have other users: 8 MiB at most.
  const CacheSizes& caches = ThisCpu().caches;
  constexpr std::size_t kMuch = std::size_t{8} << 20;
  constexpr std::size_t kMemory = std::size_t{256} << 20;
  const std::pair<const char*, std::size_t> places[] = {
      {"L1", caches.l1d / 2}, {"L2", caches.l2 / 2}, {"L3", std::min(caches.l3 / 2, kMuch)}, {"memory", kMemory}};
  std::string text = fmt::format("{:<10}{:>12}{:>12}{:>8}", "one thread", "f32 GFLOP/s", "f64 GFLOP/s", "GHz");
  for (const auto& [name, bytes] : places) text += fmt::format("{:>12}", fmt::format("{} GB/s", name));
  text += "\n";
  for (int i = 0; i < kTierCount; ++i) {
    const Tier tier = static_cast<Tier>(i);
    if (!SelectKernels(Name(tier)).ok()) continue;
    text += fmt::format("{:<10}{:>12.1f}{:>12.1f}{:>8.2f}", Name(tier), bench::MeasurePeak(tier, ElementType::kF32),
                        bench::MeasurePeak(tier, ElementType::kF64), bench::ClockGhz());
    for (const auto& [name, bytes] : places) text += fmt::format("{:>12.1f}", bench::MeasureReads(tier, bytes));
    text += "\n";
  }
  return text;
}

}  // namespace lanewise::peers
