// SPDX-License-Identifier: Apache-2.0
//
// The suite: the list of benchmarks, and the one way each is run: prepare, compute once and check the result, measure
// the peak, time, measure the peak again. Knows nothing of what the benchmarks compute.

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lanewise/gemm.h"
#include "lanewise/isa.h"

namespace benchmark {
class State;
}

namespace lanewise::bench {

// Names of the counters, as reports and the table have them.
inline constexpr const char* kGflops = "GFLOP/s";
inline constexpr const char* kPeakShare = "% of peak";
inline constexpr const char* kElements = "elements/ns";
inline constexpr const char* kBytes = "GB/s";
inline constexpr const char* kSamples = "samples/s";
inline constexpr const char* kCycles = "cycles";
inline constexpr const char* kDearer = "% dearer";

// A benchmark that is ready to run.
struct Prepared {
  std::function<void()> run;           // what is timed; owns its data
  std::function<std::string()> check;  // called after the first run: what is wrong with the result, or ""
  // What one run does, for the rates; 0 is not reported.
  double flops = 0;
  double elements = 0;
  double bytes = 0;
  double samples = 0;
  bool cycles = false;  // whether to report the cycles of one run: where the call counts
  // Other ways to the same result, of which the fastest is compared with `run`.
  std::vector<std::function<void()>> rivals = {};
};

struct Definition {
  std::string name;  // kernel/tier/size
  std::function<Prepared()> prepare;
  // Which peak the flops are compared with.
  std::optional<Tier> tier = {};
  ElementType type = ElementType::kF32;
};

// The peaks of one tier and type that were measured in this run, in GFLOP/s.
struct PeakSamples {
  Tier tier;
  ElementType type;
  std::vector<double> gflops;
};

class Suite {
 public:
  // Benchmarks are added for what `listing` allows.
  explicit Suite(Listing listing) : listing_(std::move(listing)) {}

  // Why the request is refused, if it is.
  const Status& request_error() const { return listing_.error; }

  // Whether this CPU and the request let `kernel` of `tier` run.
  bool Allows(std::string_view kernel, Tier tier) const;
  // The tiers that are allowed for every kernel.
  std::vector<Tier> Tiers() const;

  void Add(Definition definition) { definitions_.push_back(std::move(definition)); }

  // Hands all benchmarks to Google Benchmark; none may be added afterwards.
  void Register();

  // Measures the peak once more.
  double SamplePeak(Tier tier, ElementType type);
  const std::vector<PeakSamples>& peaks() const { return peaks_; }

  // Whether some result was wrong.
  bool failed() const { return failed_; }

 private:
  void Run(const Definition& definition, benchmark::State& state);

  Listing listing_;
  std::vector<Definition> definitions_;
  std::vector<PeakSamples> peaks_;
  bool failed_ = false;
  // The benchmark whose data is in memory: one at a time.
  const Definition* current_ = nullptr;
  Prepared prepared_;
  std::string error_;
};

// The benchmarks, by file.
void AddContract(Suite& suite);
void AddGemm(Suite& suite);
void AddKernels(Suite& suite);
void AddWorkloads(Suite& suite);

}  // namespace lanewise::bench
