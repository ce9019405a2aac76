// SPDX-License-Identifier: Apache-2.0
//
// How a benchmark is run; declared in suite.h.

#include "suite.h"

#include <algorithm>

#include "benchmark/benchmark.h"
#include "probe.h"

namespace lanewise::bench {

bool Suite::Allows(std::string_view kernel, Tier tier) const {
  for (const KernelListing& row : listing_.kernels) {
    if (row.kernel != kernel) continue;
    for (const TierStanding& standing : row.tiers) {
      if (standing.tier == tier) return standing.compiled && standing.supported && standing.allowed;
    }
  }
  return false;
}

std::vector<Tier> Suite::Tiers() const {
  std::vector<Tier> tiers;
  for (int i = 0; i < kTierCount; ++i) {
    const Tier tier = static_cast<Tier>(i);
    const bool all = std::all_of(listing_.kernels.begin(), listing_.kernels.end(),
                                 [&](const KernelListing& row) { return Allows(row.kernel, tier); });
    if (all) tiers.push_back(tier);
  }
  return tiers;
}

double Suite::SamplePeak(Tier tier, ElementType type) {
  const double gflops = MeasurePeak(tier, type);
  for (PeakSamples& samples : peaks_) {
    if (samples.tier == tier && samples.type == type) return samples.gflops.push_back(gflops), gflops;
  }
  peaks_.push_back({tier, type, {gflops}});
  return gflops;
}

void Suite::Run(const Definition& definition, benchmark::State& state) {
  if (current_ != &definition) {
    prepared_ = {};  // frees the last one's data first
    prepared_ = definition.prepare();
    prepared_.run();
    error_ = prepared_.check();
    current_ = &definition;
  }
  if (!error_.empty()) {
    failed_ = true;
    state.SkipWithError(error_.c_str());
    return;
  }
  const bool with_peak = definition.tier.has_value();
  double peak = with_peak ? SamplePeak(*definition.tier, definition.type) : 0;
  double clock = prepared_.cycles ? ClockGhz() : 0;
  for ([[maybe_unused]] auto _ : state) {
    prepared_.run();
    benchmark::ClobberMemory();
  }
  // The clock drifts on shared machines: what counts are the peak and the clock around this very benchmark.
  if (with_peak) peak = std::max(peak, SamplePeak(*definition.tier, definition.type));
  if (prepared_.cycles) clock = std::max(clock, ClockGhz());

  const auto rate = [&state](const char* name, double per_run) {
    if (per_run != 0) state.counters[name] = {per_run, benchmark::Counter::kIsIterationInvariantRate};
  };
  rate(kGflops, prepared_.flops * 1e-9);
  if (with_peak) rate(kPeakShare, 100 * prepared_.flops * 1e-9 / peak);
  rate(kElements, prepared_.elements * 1e-9);
  rate(kBytes, prepared_.bytes * 1e-9);
  rate(kSamples, prepared_.samples);
  if (prepared_.cycles) {
    const benchmark::Counter::Flags inverse =
        benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert;
    state.counters[kCycles] = {1e-9 / clock, inverse};
  }
}

void Suite::Register() {
  for (const Definition& definition : definitions_) {
    benchmark::RegisterBenchmark(definition.name.c_str(),
                                 [this, &definition](benchmark::State& state) { Run(definition, state); });
  }
}

}  // namespace lanewise::bench
