// SPDX-License-Identifier: Apache-2.0
//
// How a benchmark is run; declared in suite.h.

#include "suite.h"

#include <algorithm>

#include "benchmark/benchmark.h"
#include "probe.h"

namespace lanewise::bench {

namespace {

// How much longer `run` takes than the fastest of the others, in per cent: medians of bursts in turns, for clocks
// drift.
double Dearer(const std::function<void()>& run, const std::vector<std::function<void()>>& rivals) {
  std::vector<const std::function<void()>*> ways = {&run};
  for (const auto& rival : rivals) ways.push_back(&rival);
  std::vector<int> repeats(ways.size(), 1);
  std::vector<std::vector<double>> seconds(ways.size());
  const auto burst = [&](std::size_t way) {
    (*ways[way])();  // brings its data into the caches
    const double begin = ThreadCpuSeconds();
    for (int i = 0; i < repeats[way]; ++i) (*ways[way])();
    return ThreadCpuSeconds() - begin;
  };
  for (std::size_t way = 0; way < ways.size(); ++way) {
    while (burst(way) < 3e-4) repeats[way] *= 2;
  }
  constexpr int kRounds = 31;
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t way = 0; way < ways.size(); ++way) seconds[way].push_back(burst(way) / repeats[way]);
  }
  std::vector<double> medians;
  for (std::vector<double>& of_way : seconds) {
    std::ranges::nth_element(of_way, of_way.begin() + kRounds / 2);
    medians.push_back(of_way[kRounds / 2]);
  }
  return 100 * (medians[0] / *std::min_element(medians.begin() + 1, medians.end()) - 1);
}

}  // namespace

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
  if (!prepared_.rivals.empty()) state.counters[kDearer] = Dearer(prepared_.run, prepared_.rivals);
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
